// A TCP proxy between one worker and PostgreSQL that can be slow, cut, dead to one side, or lose the answer to a commit
// that the server has made.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How PostgreSQL ends an answer; then one byte: `I` when no transaction is open, so that all is committed. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
const IDLE = 0x49;
/** The first byte of Bind: a prepared statement is executed, maybe in a transaction of its own. */
const BIND = 0x42;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** One end is gone, and the other is not to hear of it yet. */
  halved: boolean;
  /** The answer so far that may not arrive. */
  withheld: Buffer[] | undefined;
}

export class FaultyProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #target: number;
  #refusing = false;
  #delay = 0;
  #toLose = 0;
  /** Answers to commits that never arrived. */
  lostAnswers = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#connect(client));
  }

  /** @param target the port on loopback it stands before */
  static async before(target: number): Promise<FaultyProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new FaultyProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Each piece takes up to so many ms; 0 ends it. */
  slow(delay: number): void {
    this.#delay = delay;
  }

  /** Ends every connection at once. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
  }

  /** The client is gone, and the server hears of it only later: its transactions and locks stay meanwhile. */
  async orphan(duration: number): Promise<void> {
    const links = this.#halve();
    for (const { client } of links) client.destroy();
    await pause(duration);
    for (const { server } of links) server.destroy();
  }

  /** The server is gone, and the client hears of it only later: after so many ms, or when the promise settles. */
  async mute(later: number | Promise<unknown>): Promise<void> {
    const links = this.#halve();
    for (const { server } of links) server.destroy();
    await (typeof later === 'number' ? pause(later) : later);
    for (const { client } of links) client.destroy();
  }

  /** Nobody gets through: what is open is cut, what comes is refused. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    if (refusing) this.cut();
  }

  /** The next so many commits are made, and their answers lost with their connections. */
  loseAnswers(count: number): void {
    this.#toLose = count;
  }

  /** Passes everything on, faithfully. */
  heal(): void {
    this.#delay = 0;
    this.#toLose = 0;
    this.#refusing = false;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #halve(): readonly Link[] {
    const links = [...this.#links];
    for (const link of links) link.halved = true;
    return links;
  }

  #connect(client: Socket): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, server, halved: false, withheld: undefined };
    this.#links.add(link);
    for (const [end, other] of [
      [client, server],
      [server, client],
    ] as const) {
      end.on('error', () => undefined);
      end.on('close', () => {
        this.#links.delete(link);
        if (!link.halved) other.end();
      });
    }
    void this.#pass(client, server, (piece) => this.#ask(link, piece));
    void this.#pass(server, client, (piece) => this.#answer(link, piece));
  }

  async #pass(from: Socket, to: Socket, judge: (piece: Buffer) => readonly Buffer[]): Promise<void> {
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        if (this.#delay > 0) await pause(Math.random() * this.#delay);
        for (const passed of judge(piece)) {
          if (!to.write(passed)) await drained(to);
        }
      }
    } catch {
      // Reset or destroyed: the same as ended.
    }
  }

  #ask(link: Link, piece: Buffer): readonly Buffer[] {
    if (this.#toLose > 0 && !link.withheld && mayCommit(piece)) link.withheld = [];
    return [piece];
  }

  #answer(link: Link, piece: Buffer): readonly Buffer[] {
    const { withheld } = link;
    if (!withheld) return [piece];
    withheld.push(piece);
    const end = piece.subarray(-6);
    if (!end.subarray(0, 5).equals(READY)) return [];
    link.withheld = undefined;
    if (end[5] !== IDLE || this.#toLose === 0) return withheld;
    this.#toLose--;
    this.lostAnswers++;
    link.client.destroy();
    link.server.destroy();
    return [];
  }
}

function mayCommit(piece: Buffer): boolean {
  return piece[0] === BIND || piece.includes('COMMIT');
}

async function drained(socket: Socket): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]);
  over.abort();
}
