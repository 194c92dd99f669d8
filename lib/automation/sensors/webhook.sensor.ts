// Sensors that are called from outside: who calls is known by a signature, and each delivery counts once.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ContextLogger } from '../../assets/asset.context.js';
import { parseDuration, type Duration } from '../../assets/duration.js';
import { verifyWebhook, type WebhookVerdict } from '../../outbox/webhook.signature.js';
import type { SensorAnswer } from './sensor.js';

/** A request as it came. */
export interface SensorDelivery {
  /** As Node, Nest or fetch have them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> | Headers;
  /** Byte for byte: with Nest, `rawBody`. */
  readonly body: string | Uint8Array;
}

/** What `onDelivery` is given. */
export interface DeliveryContext {
  readonly name: string;
  /** Id of the delivery, by which one that comes again is told. */
  readonly delivery: string;
  readonly logger: ContextLogger;
}

/** Checks requests of one kind of sender. `now`: the ledger's time. */
export type WebhookVerifier = (request: SensorDelivery, now: Date) => WebhookVerdict | Promise<WebhookVerdict>;

const MOST_BYTES = 1_000_000;
const LONGEST_ID = 300;

/**
 * Called by `flowstone.sensors.receive()`. Extend it, say how a sender is known (`verify`), and answer in `onDelivery` what a
 * delivery asks for. That is recorded before the sender gets its answer.
 */
export abstract class WebhookSensor {
  abstract readonly verify: WebhookVerifier;
  /** A larger body is refused, bytes. Default 1 MB. */
  readonly maxBytes: number = MOST_BYTES;
  /** For so long a delivery that comes again is known. Longer than twice the tolerance of the signature's time. */
  readonly remember: Duration = '7d';

  /** What a delivery asks for; nothing: nothing. `body` is the JSON that came, or its text where it is none. */
  abstract onDelivery(body: unknown, context: DeliveryContext): SensorAnswer | Promise<SensorAnswer>;

  /** What is wrong with how it is made, and how to mend it. */
  problems(): [string, string][] {
    const found: [string, string][] = [];
    if (typeof this.verify !== 'function')
      found.push(['does not say how senders are known', "give it verify = signedByFlowStone('<secret>')"]);
    if (!Number.isSafeInteger(this.maxBytes) || this.maxBytes < 1)
      found.push([`has maxBytes ${this.maxBytes}`, 'give it a number of bytes']);
    return found;
  }
}

/** Sent by a FlowStone of this secret (see verifyWebhook). Several secrets: while one takes the place of another. */
export function signedByFlowStone(
  secret: string | readonly string[],
  { tolerance = '5m' }: { readonly tolerance?: Duration } = {},
): WebhookVerifier {
  requireSecrets(secret);
  return ({ headers, body }, now) => verifyWebhook({ secret, headers, body, tolerance, now });
}

/** How another sender signs. Header names in lower case. */
export interface SignatureOptions {
  readonly secret: string | readonly string[];
  /** Header of the signature, which is that of the body in hex, or of what `signed` says. */
  readonly header: string;
  /** What stands before it in the header, such as `sha256=`. */
  readonly prefix?: string;
  /**
   * Reads from the body, which is JSON, the id that is the same whenever a delivery is sent again. Left out: deliveries are
   * told by their body, byte for byte. An id in a header is not signed: whoever recorded a request could change it.
   */
  readonly idOf?: (body: unknown) => string;
  /**
   * Header of the time of sending, seconds since 1970, which is signed: `<time>.<body>`. Left out: a request that somebody
   * recorded is accepted again once it is not remembered any more.
   */
  readonly timestampHeader?: string;
  /** How far that time may be from the ledger's. Default `5m`. */
  readonly tolerance?: Duration;
}

/**
 * Signed by HMAC-SHA256 in the way of another sender, e.g. GitHub's: `{ header: 'x-hub-signature-256', prefix: 'sha256=' }`.
 */
export function signedBy(options: SignatureOptions): WebhookVerifier {
  const { secret, header, prefix = '', idOf, timestampHeader, tolerance = '5m' } = options;
  requireSecrets(secret);
  const secrets = [secret].flat();
  return ({ headers, body }, now) => {
    const given = headerOf(headers, header);
    const timestamp = timestampHeader === undefined ? undefined : headerOf(headers, timestampHeader);
    const isMissing = timestampHeader !== undefined && timestamp === undefined;
    if (given === undefined || isMissing) return { genuine: false, reason: 'a header is missing' };
    if (timestamp !== undefined && !/^\d{1,12}$/.test(timestamp))
      return { genuine: false, reason: 'its timestamp is no number of seconds' };
    const signed = timestamp === undefined ? '' : `${timestamp}.`;
    const matches = secrets.map((one) => {
      const right = `${prefix}${createHmac('sha256', one).update(signed).update(body).digest('hex')}`;
      return isSame(given, right);
    });
    if (!matches.includes(true)) return { genuine: false, reason: 'its signature is not of this secret' };
    const sentAt = timestamp === undefined ? now : new Date(Number(timestamp) * 1000);
    if (Math.abs(now.getTime() - sentAt.getTime()) > parseDuration(tolerance))
      return { genuine: false, reason: 'it was not sent lately' };
    if (!idOf) return { genuine: true, delivery: createHash('sha256').update(body).digest('hex'), sentAt };
    const id: unknown = idOf(contentOf(body));
    if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID)
      return { genuine: false, reason: 'its body has no id' };
    return { genuine: true, delivery: id, sentAt };
  };
}

/** @throws Error for one that is too short to keep anybody out */
function requireSecrets(secret: string | readonly string[]): void {
  const secrets = [secret].flat();
  if (secrets.length > 0 && secrets.every((one) => typeof one === 'string' && one.length >= 16)) return;
  throw new TypeError('The secret of a webhook must be a text of at least 16 characters.');
}

function headerOf(headers: SensorDelivery['headers'], name: string): string | undefined {
  const value = headers instanceof Headers ? headers.get(name) : headers[name.toLowerCase()];
  return typeof value === 'string' ? value : undefined;
}

function isSame(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** The JSON of a body, or its text where it is none. */
export function contentOf(body: string | Uint8Array): unknown {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
