// A Parquet file being written: rows are collected to batches, batches to row groups. While one row group is encoded and
// written, the next is collected; no third is begun before that.
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { ByteSink } from '../../blobs/blob-store.port.js';
import { parseTagged } from '../../tagged-json.js';
import type { ValueOptions } from '../format.port.js';
import { inferColumns } from './parquet.inference.js';
import { columnsOf, type Column, type ParquetValueOptions } from './parquet.schema.js';
import { threadFile, type ThreadFile } from './parquet.thread.js';
import { RowBatch } from './row.batch.js';

/** With 50,000, ten million rows of eight columns passed on from file to file take 310 MB; with these, 255 MB. */
const GROUP_ROWS = 24_576;
const GROUP_SIZE = 32 * 1024 * 1024;
/** After so many rows that are only looked at, the event loop may turn. */
const SAMPLE_STEP = 512;

type Row = Readonly<Record<string, unknown>>;

/** By what the end of a file can be found and checked. */
export type FooterDetail = { readonly footer: number; readonly checksum: number };

/** `close` it in the end. */
export class ParquetFileWriter {
  readonly #thread: ThreadFile = threadFile();
  readonly #options: ParquetValueOptions;
  /** None until they are known. */
  columns: readonly Column[] = [];
  /** Undefined until then. */
  #batch: RowBatch | undefined;
  /** Rows as JSON before, since their objects may be used again. */
  #sample: string[] = [];
  #sampled = 0;
  #rows = 0;
  #size = 0;
  #writing: Promise<void> = Promise.resolve();

  /** @param options without problems */
  constructor(
    private readonly sink: ByteSink,
    options: ValueOptions,
  ) {
    this.#options = options as unknown as ParquetValueOptions;
    const columns = columnsOf(this.#options.schema);
    if (columns) this.#create(columns);
  }

  /** Whether `add` needs rows tagged as well. */
  get tagging(): boolean {
    return this.#batch?.tagging ?? true;
  }

  /** Takes a row, and the same tagged; says whether `flush` is due. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED`. */
  add(row: Row, tagged: Row): boolean {
    if (this.#batch) {
      this.#batch.add(row, tagged);
      return this.#batch.full;
    }
    const text = JSON.stringify(tagged);
    this.#sampled += text.length;
    return this.#sample.push(text) % SAMPLE_STEP === 0 || this.#sampled >= GROUP_SIZE;
  }

  /** Passes on what was added, and lets the event loop turn. */
  async flush(): Promise<void> {
    if (this.#batch) await this.#pass(this.#batch);
    else if (this.#sample.length >= GROUP_ROWS || this.#sampled >= GROUP_SIZE) await this.#infer();
    await turn();
  }

  async finish(): Promise<FooterDetail> {
    if (!this.#batch) await this.#infer();
    await this.flush();
    if (this.#rows > 0) await this.#endGroup();
    await this.#writing;
    const footer = await this.#thread.ask({ kind: 'finish' });
    await this.sink.write(footer);
    return { footer: footer.length, checksum: crc32(footer) };
  }

  /** After `finish`, or in its stead. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writing]);
    this.#thread.drop();
  }

  async #infer(): Promise<void> {
    const sample = this.#sample;
    this.#sample = [];
    const batch = this.#create(inferColumns(sample.map((text) => parseTagged(text) as Row)));
    for (const text of sample) {
      batch.add(parseTagged(text) as Row, JSON.parse(text) as Row);
      if (batch.full) await this.flush();
    }
  }

  async #pass(batch: RowBatch): Promise<void> {
    const { rows, cells, size } = batch.take();
    if (rows === 0) return;
    this.#thread.rows(rows, cells);
    this.#rows += rows;
    this.#size += size;
    if (this.#rows >= GROUP_ROWS || this.#size >= GROUP_SIZE) await this.#endGroup();
  }

  #create(columns: readonly Column[]): RowBatch {
    const { compression = 'snappy' } = this.#options;
    const creating = this.#thread.ask({ kind: 'create', columns, compression });
    this.#writing = creating;
    // Heard when the first row group is written.
    creating.catch(() => undefined);
    this.columns = columns;
    this.#batch = new RowBatch(columns);
    return this.#batch;
  }

  async #endGroup(): Promise<void> {
    this.#rows = this.#size = 0;
    await this.#writing;
    this.#writing = this.#encode();
    // It may fail while rows are still being waited for; the next row group sees it.
    this.#writing.catch(() => undefined);
  }

  async #encode(): Promise<void> {
    await this.sink.write(await this.#thread.ask({ kind: 'encode' }));
  }
}
