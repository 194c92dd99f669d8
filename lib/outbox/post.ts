// One HTTP request that leaves the system: no redirects, so much time, so much of an answer, and, where a policy says so, only
// to addresses that it permits. The address that was judged is the one connected to.
import { lookup as dnsLookup } from 'node:dns/promises';
import { request as plainRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { FlowStoneError } from '../flowstone.errors.js';
import { hostOf, type AddressPolicy } from './address.policy.js';

/** Of an answer, so much is read; the rest is nobody's. */
const MOST_ANSWER = 16_384;

export interface PostOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** In all, ms. */
  readonly timeLimit: number;
  readonly signal: AbortSignal;
  /** Undefined: any address may be connected to. */
  readonly policy?: AddressPolicy | undefined;
  /** Whose connections are used; without one, each request has one of its own. */
  readonly agent?: Agent | undefined;
  /** All addresses of a name. Default: as the system has it. */
  readonly resolve?: Resolve | undefined;
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface Answer {
  readonly status: number;
  /** The first of it, for people. */
  readonly text: string;
}

const SCHEMES: ReadonlyMap<string, typeof plainRequest> = new Map([
  ['http:', plainRequest],
  ['https:', secureRequest],
]);

/** Whether a URL is of a kind that is asked. */
export function isHttp(url: URL): boolean {
  return SCHEMES.has(url.protocol);
}

/**
 * POSTs the body. Whatever the status, an answer is a result.
 * @throws FlowStoneError FLOWSTONE_ADDRESS_REFUSED where the policy does not permit any address of the host
 * @throws Error of the network, or that says that the time was over
 */
export async function post(options: PostOptions): Promise<Answer> {
  const { url, headers, body, timeLimit, signal, policy, agent } = options;
  const send = SCHEMES.get(url.protocol);
  if (!send) throw refused(url, `${url.protocol} is neither http: nor https:`);
  // An address is connected to without being looked up.
  if (policy && isIP(hostOf(url)) && !policy.permits(url, hostOf(url))) throw refused(url, 'it is not public');
  signal.throwIfAborted();
  const sent = send(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    agent: agent ?? false,
    lookup: lookupWith(options),
  });
  const stop = (): void => void sent.destroy(signal.reason as Error);
  const timer = setTimeout(() => sent.destroy(new Error(`No answer within ${timeLimit} ms.`)), timeLimit);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answered = answerOf(sent);
    sent.end(body);
    return await answered;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Resolves as soon as the status is known and so much was read as there is, or as fits. */
function answerOf(sent: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let fail = (error: Error): void => reject(error);
    sent.on('error', (error) => fail(error));
    sent.once('response', (response: IncomingMessage) => {
      const status = response.statusCode ?? 0;
      const parts: Buffer[] = [];
      let length = 0;
      const over = (): void => resolve({ status, text: Buffer.concat(parts).toString('utf8').slice(0, 1000) });
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length < MOST_ANSWER) return;
        over();
        sent.destroy();
      });
      response.once('end', over);
      // The status was said: what becomes of the rest changes nothing.
      fail = over;
      response.once('error', over);
      response.once('close', over);
    });
  });
}

/** Asks once, and lets only what the policy permits be connected to. */
function lookupWith({ url, policy, resolve = systemResolve }: PostOptions): LookupFunction {
  const permitted = async (host: string) => {
    const found = await resolve(host);
    const allowed = policy ? found.filter(({ address }) => policy.permits(url, address)) : found;
    if (allowed.length > 0) return allowed.map(({ address, family }) => ({ address, family }));
    throw refused(url, found.length === 0 ? 'it has no address' : 'none of its addresses is public');
  };
  return (host, { all }, callback) => {
    permitted(host).then(
      (addresses) => (all ? callback(null, addresses) : callback(null, addresses[0]!.address, addresses[0]!.family)),
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}

const systemResolve: Resolve = (host) => dnsLookup(host, { all: true });

function refused({ host }: URL, reason: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_ADDRESS_REFUSED',
    `Nothing is sent to ${host}: ${reason}. If it is meant to be reached, name it in \`allow\`.`,
    { context: { host, reason } },
  );
}
