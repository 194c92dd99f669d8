// The tokens by which the outside answers: signed with a secret, so that what is none is known without a look at the ledger,
// and derived from what is waited for, so that an attempt that has to ask again asks with the same.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What a token says: for which materialization, and how often that had asked before. */
export interface SignalPlace {
  readonly materialization: number;
  readonly round: number;
}

const SHAPE = /^fs1-([0-9a-z]{1,11})-([0-9a-z]{1,6})-([A-Za-z0-9_-]{43})$/;

export class SignalTokens {
  readonly #secrets: readonly string[];

  /** @param secrets the first signs; all are accepted, so that they can be changed while something waits */
  constructor(
    private readonly namespace: string,
    secrets: readonly string[],
  ) {
    this.#secrets = secrets;
  }

  tokenOf(place: SignalPlace): string {
    const { materialization, round } = place;
    const [secret] = this.#secrets;
    if (secret === undefined) throw new Error('There is no secret: the option signals is missing.');
    return `fs1-${materialization.toString(36)}-${round.toString(36)}-${this.#sign(secret, place)}`;
  }

  /** What a token says, if it is one of ours. */
  read(token: unknown): SignalPlace | undefined {
    const [, id, count, signature] = (typeof token === 'string' && SHAPE.exec(token)) || [];
    if (signature === undefined) return undefined;
    const place = { materialization: Number.parseInt(id!, 36), round: Number.parseInt(count!, 36) };
    const given = Buffer.from(signature);
    const known = this.#secrets.some((secret) => timingSafeEqual(given, Buffer.from(this.#sign(secret, place))));
    return known && Number.isSafeInteger(place.materialization) ? place : undefined;
  }

  /** By which the ledger finds what waits for it, without knowing the token. */
  hashOf(token: string): string {
    return createHash('sha256').update(token).digest('hex');
  }

  #sign(secret: string, { materialization, round }: SignalPlace): string {
    const text = JSON.stringify(['flowstone.signal', this.namespace, materialization, round]);
    return createHmac('sha256', secret).update(text).digest('base64url');
  }
}
