// Webhooks over real connections: what arrives, where nothing is sent, and what is made of answers of all kinds.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { verifyWebhook } from '../../lib/index.js';
import type { Resolve } from '../../lib/outbox/post.js';
import { Webhook } from '../../lib/outbox/webhook.js';
import { readWebhook } from '../../lib/outbox/webhook.options.js';

const secret = 'known to these two only';
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

/** A server on a loopback address; answers with its port. */
async function serve(answer: RequestListener, host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer(answer).listen(port, host);
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const answering =
  (code: number, headers: Record<string, string> = {}, body = ''): RequestListener =>
  (_request, response) => {
    response.writeHead(code, headers).end(body);
  };

interface Options {
  readonly resolve?: Resolve;
  readonly allow?: readonly string[];
  readonly timeout?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(url: string, { resolve, ...options }: Options = {}, signal = new AbortController().signal) {
  const target = readWebhook({ url, secret, allow: ['127.0.0.1'], ...options });
  return new Webhook(target, resolve).send('here-1', { text: 'é' }, signal);
}

const FAILED = { code: 'FLOWSTONE_WEBHOOK_FAILED', retryable: true };
const REFUSED = { code: 'FLOWSTONE_ADDRESS_REFUSED', retryable: true };

describe('a webhook', () => {
  it('arrives as signed JSON, with the headers that were asked for', async () => {
    const requests: unknown[] = [];
    const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await text(request);
      const { method, url, headers } = request;
      requests.push([method, url, JSON.parse(body), verifyWebhook({ secret, headers, body })]);
      requests.push(headers);
      response.writeHead(204).end();
    };
    const port = await serve((...exchange) => void take(...exchange));
    await send(`http://127.0.0.1:${port}/a/path?q=1`, { headers: { authorization: 'Bearer me' } });
    const genuine = { genuine: true, delivery: 'here-1', sentAt: expect.any(Date) };
    expect(requests[0]).toEqual(['POST', '/a/path?q=1', { id: 'here-1', text: 'é' }, genuine]);
    expect(requests[1]).toMatchObject({ authorization: 'Bearer me', 'content-type': 'application/json' });
  });

  it('is sent once it was accepted, with any status of 2xx', async () => {
    for (const code of [200, 201, 202, 299]) {
      const port = await serve(answering(code, {}, 'thanks'));
      await expect(send(`http://127.0.0.1:${port}/`)).resolves.toBeUndefined();
    }
  });

  it('is given up for good where the receiver says that it is gone', async () => {
    await expect(send(`http://127.0.0.1:${await serve(answering(410))}/`)).rejects.toMatchObject({
      code: 'FLOWSTONE_WEBHOOK_GONE',
      retryable: false,
    });
  });

  it.each([400, 404, 429, 500, 503])('is to be sent again after %d, which says why', async (code) => {
    const port = await serve(answering(code, {}, 'not now'));
    await expect(send(`http://127.0.0.1:${port}/secret-path`)).rejects.toMatchObject({
      ...FAILED,
      message: `The webhook at 127.0.0.1:${port} did not take a notice: it answered ${code}: not now`,
    });
  });

  it('follows no redirect', async () => {
    let reached = 0;
    const behind = await serve((_request, response) => {
      reached++;
      response.end();
    });
    for (const code of [301, 302, 303, 307, 308]) {
      const port = await serve(answering(code, { location: `http://127.0.0.1:${behind}/` }));
      await expect(send(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
        ...FAILED,
        message: expect.stringContaining('redirects are not followed'),
      });
    }
    expect(reached).toBe(0);
  });

  it('is not waited for for long, whether nothing is answered or nobody is there', async () => {
    const silent = await serve(() => undefined);
    const started = performance.now();
    await expect(send(`http://127.0.0.1:${silent}/`, { timeout: 100 })).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining('No answer within 100 ms'),
    });
    expect(performance.now() - started).toBeLessThan(2000);
    const held: Socket[] = [];
    const deaf = createTcpServer((socket) => held.push(socket.pause())).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    await expect(send(`http://127.0.0.1:${port}/`, { timeout: 100 })).rejects.toMatchObject(FAILED);
    for (const socket of held) socket.destroy();
    deaf.close();
    await once(deaf, 'close');
    await expect(send(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(FAILED);
  });

  it('ends at once when it is told to', async () => {
    const controller = new AbortController();
    const port = await serve(() => controller.abort(new Error('closing')));
    await expect(send(`http://127.0.0.1:${port}/`, {}, controller.signal)).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining('closing'),
    });
    await expect(send(`http://127.0.0.1:${port}/`, {}, controller.signal)).rejects.toMatchObject(FAILED);
  });

  it('reads no answer that has no end, and none that never comes', async () => {
    let written = 0;
    const endless = await serve((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    });
    await send(`http://127.0.0.1:${endless}/`);
    expect(written).toBeLessThan(100e6);
    const dripping = await serve((_request, response) => response.writeHead(200).flushHeaders());
    await send(`http://127.0.0.1:${dripping}/`, { timeout: 100 });
  });

  it('survives an answer that is none', async () => {
    for (const nonsense of ['', 'nonsense\r\n\r\n', `HTTP/1.1 200 OK\r\na: ${'x'.repeat(100_000)}\r\n\r\n`]) {
      const server = createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(nonsense));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      await expect(send(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(FAILED);
      server.close();
      await once(server, 'close');
    }
  });
});

describe('what is not of the public internet', () => {
  const nobody = async (): Promise<{ port: number; reached: () => number }> => {
    let reached = 0;
    const port = await serve((_request, response) => {
      reached++;
      response.end();
    });
    return { port, reached: () => reached };
  };

  it.each([
    ...['http://127.0.0.1:PORT/', 'http://localhost:PORT/', 'http://2130706433:PORT/', 'http://0x7f.1:PORT/'],
    ...['http://0177.0.0.1:PORT/', 'http://127.1:PORT/', 'http://0:PORT/', 'http://[::1]:PORT/', 'http://[::]:PORT/'],
    ...['http://[::ffff:127.0.0.1]:PORT/', 'http://[::ffff:7f00:1]:PORT/', 'http://[64:ff9b::7f00:1]:PORT/'],
    ...['http://169.254.169.254/latest/meta-data/', 'http://user:pass@127.0.0.1:PORT/', 'https://127.0.0.1:PORT/'],
  ])('is not asked as %s', async (url) => {
    const { port, reached } = await nobody();
    await expect(send(url.replace('PORT', String(port)), { allow: [] })).rejects.toMatchObject(REFUSED);
    expect(reached()).toBe(0);
  });

  it('is not asked under a name that leads there', async () => {
    const { port, reached } = await nobody();
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
      const resolve: Resolve = async () => [{ address, family: address.includes(':') ? 6 : 4 }];
      const sending = send(`http://hooks.example:${port}/`, { allow: [], resolve });
      await expect(sending).rejects.toMatchObject({ ...REFUSED, message: expect.stringContaining('hooks.example') });
    }
    expect(reached()).toBe(0);
  });

  it('is asked where that is allowed: by name, by name and port, by address', async () => {
    const { port, reached } = await nobody();
    const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    for (const allow of [['hooks.example'], [`hooks.example:${port}`], ['127.0.0.0/8']])
      await send(`http://hooks.example:${port}/`, { allow, resolve });
    expect(reached()).toBe(3);
    const elsewhere = send(`http://hooks.example:${port}/`, { allow: [`hooks.example:${port + 1}`], resolve });
    await expect(elsewhere).rejects.toMatchObject(REFUSED);
  });

  it('is asked at no other address than was judged, however a name changes meanwhile', async () => {
    const port = await serve(answering(200), '127.0.0.2');
    let inside = 0;
    await serve(
      (_request, response) => {
        inside++;
        response.end();
      },
      '127.0.0.1',
      port,
    );
    // The first answer may be asked, each later one may not.
    let asked = 0;
    const rebinding: Resolve = async () => [{ address: asked++ === 0 ? '127.0.0.2' : '127.0.0.1', family: 4 }];
    const options = { allow: ['127.0.0.2'], resolve: rebinding };
    await send(`http://hooks.example:${port}/`, options);
    expect(asked).toBe(1);
    await expect(send(`http://hooks.example:${port}/`, options)).rejects.toMatchObject(REFUSED);
    // Of several addresses only those that may be.
    const both: Resolve = async () => ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    await send(`http://hooks.example:${port}/`, { allow: ['127.0.0.2'], resolve: both });
    expect(inside).toBe(0);
  });

  it('is not asked where the name has no address at all', async () => {
    await expect(send('http://hooks.example/', { resolve: async () => [] })).rejects.toMatchObject(REFUSED);
  });
});

describe('the options of a webhook', () => {
  it.each([
    [undefined, 'an object such as'],
    [{ url: 'ftp://host/', secret }, 'given an http'],
    [{ url: 'nonsense', secret }, 'given an http'],
    [{ url: 'http://host/' }, 'at least 16 characters'],
    [{ url: 'http://host/', secret: 'short' }, 'at least 16 characters'],
    [{ url: 'http://host/', secret, allow: 'host' }, 'a list'],
    [{ url: 'http://host/', secret, allow: ['http://host'] }, "'http://host' is not"],
    [{ url: 'http://host/', secret, headers: { a: 'b\r\nc: d' } }, 'of one line'],
    [{ url: 'http://host/', secret, headers: { 'a b': 'c' } }, 'of one line'],
    [{ url: 'http://host/', secret, timeout: '1m' }, 'at most 25s'],
    [{ url: 'http://host/', secret, timeOut: 1 }, 'without timeOut'],
  ])('are refused as %j', (given, message) => {
    expect(() => readWebhook(given)).toThrow(message);
  });
});
