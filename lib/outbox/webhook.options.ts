// What an application says of a webhook, and what is wrong with it.
import { EXPECTED_DURATION, readDuration, type Duration } from '../assets/duration.js';
import { unknownName } from '../graph/did-you-mean.js';
import { AddressPolicy } from './address.policy.js';
import { isHttp } from './post.js';

/** Where signed notices are POSTed to (docs/outbox.md). */
export interface WebhookOptions {
  /** http: or https: */
  readonly url: string;
  /** By which the receiver tells that a notice is ours (`verifyWebhook`): at least 16 characters, better 32 random bytes. */
  readonly secret: string;
  /**
   * What may be connected to beside public addresses: names (`'hooks.internal'`), names on a port
   * (`'hooks.internal:8443'`), addresses, blocks of addresses (`'10.0.0.0/8'`).
   */
  readonly allow?: readonly string[];
  /** More headers, such as one of authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long an answer may take. Default `10s`. */
  readonly timeout?: Duration;
}

/** The same with every default filled in. */
export interface WebhookTarget {
  readonly url: URL;
  readonly secret: string;
  readonly policy: AddressPolicy;
  readonly headers: Readonly<Record<string, string>>;
  /** ms */
  readonly timeout: number;
}

const NAMES = ['url', 'secret', 'allow', 'headers', 'timeout'];
const LEAST_SECRET = 16;
const DEFAULT_TIMEOUT = 10_000;
/** Less than a receiver may take (topic.sender.ts). */
const LONGEST_TIMEOUT = 25_000;
const HEADER = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/** Options of a webhook. Throws a TypeError that completes "... must be". */
export function readWebhook(given: unknown): WebhookTarget {
  if (typeof given !== 'object' || given === null) return wrong("an object such as { url: 'https://...', secret }");
  const unknown = unknownName(given, NAMES);
  if (unknown !== undefined) return wrong(`without ${unknown}: it has ${NAMES.join(', ')}`);
  const { url, secret, allow = [], headers = {}, timeout } = given as Readonly<Record<keyof WebhookOptions, unknown>>;
  if (typeof secret !== 'string' || secret.length < LEAST_SECRET)
    return wrong(`given a secret of at least ${LEAST_SECRET} characters`);
  const time = timeout === undefined ? DEFAULT_TIMEOUT : readDuration(timeout);
  if (time === undefined || time < 1 || time > LONGEST_TIMEOUT)
    return wrong(`such that timeout is a duration of at most ${LONGEST_TIMEOUT / 1000}s: ${EXPECTED_DURATION}`);
  return { url: readHttpUrl(url), secret, policy: policyOf(allow), headers: readHeaders(headers), timeout: time };
}

/** A URL to which something is POSTed. Throws as {@link readWebhook}. */
export function readHttpUrl(given: unknown): URL {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  return url && isHttp(url) ? url : wrong('given an http:// or https:// url');
}

/** Headers by name. Throws as {@link readWebhook}. */
export function readHeaders(given: unknown): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null) return wrong('given headers as an object of texts by name');
  for (const [name, value] of Object.entries(given)) {
    if (!HEADER.test(name) || typeof value !== 'string' || /[\0\r\n]/.test(value))
      return wrong(`given headers as texts of one line by name, which ${JSON.stringify(name)} is not`);
  }
  return given as Record<string, string>;
}

function policyOf(allow: unknown): AddressPolicy {
  if (!Array.isArray(allow) || !allow.every((entry) => typeof entry === 'string'))
    return wrong('such that allow is a list of texts');
  try {
    return new AddressPolicy(allow);
  } catch (error) {
    return wrong(`such that allow is ${(error as Error).message}`);
  }
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
