// The thread that encodes and decodes Parquet: does what parquet.thread.ts asks, one after the other.
import { parentPort } from 'node:worker_threads';
import { FileDecoder } from './file.decoder.js';
import { FileEncoder } from './file.encoder.js';
import type { Answers, FromThread, Order, ToThread } from './parquet.messages.js';

const port = parentPort!;
const files = new Map<number, FileEncoder | FileDecoder>();
/** What failed of rows, for who asks next. */
const failures = new Map<number, Error>();

async function obey(file: number, order: Order): Promise<Answers[keyof Answers]> {
  const failure = failures.get(file);
  if (failure) throw failure;
  switch (order.kind) {
    case 'create':
      files.set(file, new FileEncoder(order.columns, order.compression));
      return;
    case 'encode':
      return (files.get(file) as FileEncoder).encode();
    case 'finish':
      return (files.get(file) as FileEncoder).finish();
    case 'open': {
      const decoder = new FileDecoder(order.footer);
      files.set(file, decoder);
      return decoder.outline;
    }
    case 'decode':
      return (files.get(file) as FileDecoder).decode(order);
  }
}

function take(message: ToThread): Promise<void> | void {
  const { file } = message;
  if ('drop' in message) {
    files.delete(file);
    failures.delete(file);
  } else if ('rows' in message) {
    try {
      (files.get(file) as FileEncoder).add(message.rows.count, message.rows.cells);
    } catch (error) {
      failures.set(file, error as Error);
    }
  } else {
    return answer(message.id, obey(file, message.order));
  }
}

async function answer(id: number, answering: Promise<Answers[keyof Answers]>): Promise<void> {
  try {
    post({ id, answer: await answering });
  } catch (error) {
    post({ id, failure: error as Error });
  }
}

function post(message: FromThread): void {
  const bytes =
    'answer' in message && message.answer instanceof Uint8Array ? [message.answer.buffer as ArrayBuffer] : [];
  port.postMessage(message, bytes);
}

let tasks: Promise<void> = Promise.resolve();
port.on('message', (message: ToThread) => {
  tasks = tasks.then(() => take(message));
});
