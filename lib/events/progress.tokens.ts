// Tokens by which an application's own users may see how far one run is: signed, for that run only, for a short time.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { FlowStoneError } from '../flowstone.errors.js';

const SHAPE = /^fp1-([0-9a-z]{1,11})-([0-9a-z]{1,11})-([A-Za-z0-9_-]{43})$/;

export class ProgressTokens {
  /** @param secrets the first signs; all are accepted, so that they can be changed */
  constructor(
    private readonly namespace: string,
    private readonly secrets: readonly string[],
  ) {}

  /**
   * @param ttl ms, by the clock of this host
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID: there is no secret
   */
  tokenOf(run: number, ttl: number): string {
    const [secret] = this.secrets;
    if (secret === undefined) {
      throw new FlowStoneError(
        'FLOWSTONE_OPTIONS_INVALID',
        'There is no secret to make tokens of progress with. Give forRoot() a signalSecret of at least 32 characters, or set FLOWSTONE_SIGNAL_SECRET.',
        { context: { problems: ['signalSecret is missing, which progressToken() needs'] } },
      );
    }
    const until = Date.now() + ttl;
    return `fp1-${run.toString(36)}-${until.toString(36)}-${this.#sign(secret, run, until)}`;
  }

  /**
   * The run of a token.
   * @throws FlowStoneError FLOWSTONE_PROGRESS_TOKEN_INVALID: it is none of ours, or its time is over
   */
  read(token: unknown): number {
    const [, id, end, signature] = (typeof token === 'string' && SHAPE.exec(token)) || [];
    if (signature === undefined) throw invalid('is no token of this application');
    const [run, until] = [Number.parseInt(id!, 36), Number.parseInt(end!, 36)];
    const given = Buffer.from(signature);
    const known = this.secrets.some((secret) => timingSafeEqual(given, Buffer.from(this.#sign(secret, run, until))));
    if (!known || !Number.isSafeInteger(run)) throw invalid('is no token of this application');
    if (Date.now() > until) throw invalid('is not valid any more');
    return run;
  }

  #sign(secret: string, run: number, until: number): string {
    const text = JSON.stringify(['flowstone.progress', this.namespace, run, until]);
    return createHmac('sha256', secret).update(text).digest('base64url');
  }
}

function invalid(problem: string): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_PROGRESS_TOKEN_INVALID',
    `The token of progress ${problem}. Ask for a new one: progressToken(run).`,
  );
}
