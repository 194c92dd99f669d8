// An HTTP proxy before a real S3 server, which does to some requests and answers what networks and servers do.
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request that came by. */
export interface Passing {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly size: number;
}

/** What becomes of it; nothing: it is passed on, and so is the answer. */
export type Fault =
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** Answered with a page for people, which says yes to anything. */
  | { readonly kind: 'greet' }
  /** Passed on, but the connection ends before the answer; `answered` is called in between. */
  | { readonly kind: 'lose'; readonly answered?: () => void }
  /** The connection ends after so many bytes of the answer. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Passed on once the promise resolves. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown> };

export class FaultyS3 {
  readonly seen: Passing[] = [];
  /** Asked for each request. */
  fault: (passing: Passing) => Fault | undefined = () => undefined;
  readonly #server = createServer((incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
  });

  private constructor(private readonly target: string) {}

  static async before(target: string): Promise<FaultyS3> {
    const proxy = new FaultyS3(target);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Passes everything on and forgets what it saw. */
  heal(): void {
    this.fault = () => undefined;
    this.seen.length = 0;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const body = await buffer(incoming);
    const passing = { method, url, headers, size: body.length };
    this.seen.push(passing);
    const fault = this.fault(passing);
    if (fault?.kind === 'refuse') {
      const { status, code } = fault;
      outgoing.writeHead(status, { 'content-type': 'application/xml' });
      outgoing.end(
        `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}, says the proxy</Message></Error>`,
      );
      return;
    }
    if (fault?.kind === 'greet') {
      outgoing.writeHead(200, { 'content-type': 'text/html' });
      outgoing.end('<!DOCTYPE html><html><body>Welcome</body></html>');
      return;
    }
    if (fault?.kind === 'hold') await fault.until;
    const answer = await this.#passOn(passing, body);
    if (fault?.kind === 'lose') {
      fault.answered?.();
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(answer.status, answer.headers);
    if (fault?.kind === 'cut' && fault.after < answer.body.length) {
      outgoing.write(answer.body.subarray(0, fault.after), () => outgoing.destroy());
    } else {
      outgoing.end(answer.body);
    }
  }

  async #passOn({ method, url, headers }: Passing, body: Buffer) {
    // As it came, since it is signed.
    const { hostname, port } = new URL(this.target);
    const forwarded = request({ hostname, port, path: url, method, headers });
    // A server may answer before it has read all, and close.
    forwarded.on('error', () => undefined);
    forwarded.end(body);
    const [answer] = (await once(forwarded, 'response')) as [IncomingMessage];
    return { status: answer.statusCode!, headers: answer.headers, body: await buffer(answer) };
  }
}
