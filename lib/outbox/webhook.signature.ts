// How a webhook says that it is ours, and how whoever receives it checks that.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseDuration, type Duration } from '../assets/duration.js';

/** Headers of a delivery. */
export const DELIVERY_HEADER = 'flowstone-delivery';
export const TIMESTAMP_HEADER = 'flowstone-timestamp';
export const SIGNATURE_HEADER = 'flowstone-signature';

const VERSION = 'v1';

/** What {@link verifyWebhook} is given of a request. */
export interface WebhookRequest {
  /** The secret of the sender; several while one takes the place of another: any of them will do. */
  readonly secret: string | readonly string[];
  /** As Node, Nest or fetch have them; their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> | Headers;
  /** As it came, byte for byte: JSON that was read and written again is another. */
  readonly body: string | Uint8Array;
  /** How far the time of sending may be from `now`, back and forth. Default `5m`. */
  readonly tolerance?: Duration;
  /** Default: the time of this host. */
  readonly now?: Date;
}

/** A delivery that is genuine, with its id, by which repetitions are told; or why it is not to be trusted. */
export type WebhookVerdict =
  | { readonly genuine: true; readonly delivery: string; readonly sentAt: Date }
  | { readonly genuine: false; readonly reason: string };

/** The value of the signature's header. @param timestamp seconds since 1970 */
export function signatureOf(secret: string, timestamp: number | string, body: string | Uint8Array): string {
  return `${VERSION}=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`;
}

/**
 * Whether a webhook was sent by who knows the secret, and lately: a request that somebody recorded and sends again later
 * is not genuine. Within the tolerance it may come twice, as FlowStone itself may send it twice: keep its `delivery`, and
 * take each once.
 */
export function verifyWebhook(request: WebhookRequest): WebhookVerdict {
  const { secret, headers, body, tolerance = '5m', now = new Date() } = request;
  const header = (name: string): string | undefined => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const timestamp = header(TIMESTAMP_HEADER);
  const delivery = header(DELIVERY_HEADER);
  const given = header(SIGNATURE_HEADER);
  if (timestamp === undefined || delivery === undefined || given === undefined) return no('a header is missing');
  if (!/^\d{1,12}$/.test(timestamp)) return no('its timestamp is no number of seconds');
  const secrets = typeof secret === 'string' ? [secret] : secret;
  const signatures = given.split(',').map((part) => part.trim());
  // All are computed and compared, so that time says nothing of which was nearly right.
  const matches = secrets.flatMap((one) => {
    const right = signatureOf(one, timestamp, body);
    return signatures.map((signature) => isSame(signature, right));
  });
  if (!matches.includes(true)) return no('its signature is not of this secret');
  // The id stands in what is signed, too.
  if (idIn(body) !== delivery) return no('its id is not that of its body');
  const sentAt = new Date(Number(timestamp) * 1000);
  if (Math.abs(now.getTime() - sentAt.getTime()) > parseDuration(tolerance)) return no('it was not sent lately');
  return { genuine: true, delivery, sentAt };
}

function isSame(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function idIn(body: string | Uint8Array): unknown {
  try {
    const content = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8')) as {
      id?: unknown;
    };
    return content.id;
  } catch {
    return undefined;
  }
}

function no(reason: string): WebhookVerdict {
  return { genuine: false, reason };
}
