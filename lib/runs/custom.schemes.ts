// The functions of custom schemes, asked for their keys: each one call at a time, and none is waited for without end.
import { FlowStoneError } from '../flowstone.errors.js';
import { customKeys } from '../partitions/canonical-key.js';
import type { CustomKeysContext, CustomScheme } from '../partitions/partition-scheme.js';
import { messageOf } from './failure.js';

/**
 * How long such a function is waited for, ms. Plans and what was claimed wait meanwhile; time limits that clients of
 * databases and services commonly have are shorter, so that these fail first, with an error that says more.
 */
export const SCHEME_LIMIT = 30_000;

/** Keys, or why there are none. A failure is an answer as well: it concerns only those who ask for these keys. */
export type SchemeAnswer = readonly string[] | FlowStoneError;

export class CustomSchemes {
  readonly #inquiries = new Map<CustomScheme, Inquiry>();

  constructor(private readonly contextOf: (scheme: CustomScheme) => Promise<CustomKeysContext>) {}

  /** The keys of now: of a call that begins after this one. Never rejects. */
  ask(scheme: CustomScheme): Promise<SchemeAnswer> {
    let inquiry = this.#inquiries.get(scheme);
    if (!inquiry) this.#inquiries.set(scheme, (inquiry = new Inquiry(scheme, () => this.contextOf(scheme))));
    return inquiry.ask();
  }
}

/** What is under way of one scheme. */
class Inquiry {
  #current: Promise<SchemeAnswer> | undefined;
  #next: Promise<SchemeAnswer> | undefined;
  /** A call that is not waited for any more and has not ended, and for how long it speaks for the scheme. */
  #silent: { readonly failure: FlowStoneError; readonly until: number } | undefined;

  constructor(
    private readonly scheme: CustomScheme,
    private readonly context: () => Promise<CustomKeysContext>,
  ) {}

  async ask(): Promise<SchemeAnswer> {
    // Another call would most likely be as silent, and hold up those who ask, and what the first one waits for.
    if (this.#silent && performance.now() < this.#silent.until) return this.#silent.failure;
    if (!this.#current) return this.#begin();
    // What the call under way has read may be older than this question. All who ask meanwhile share the one after it.
    return (this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      return this.ask();
    }));
  }

  #begin(): Promise<SchemeAnswer> {
    return (this.#current = this.#answer().finally(() => (this.#current = undefined)));
  }

  async #answer(): Promise<SchemeAnswer> {
    const giveUp = new AbortController();
    const call = this.#call(giveUp.signal);
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<FlowStoneError>((resolve) => {
      timer = setTimeout(() => {
        giveUp.abort();
        resolve(this.#fallSilent(call));
      }, SCHEME_LIMIT);
    });
    try {
      return await Promise.race([call, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #call(signal: AbortSignal): Promise<SchemeAnswer> {
    try {
      return await customKeys(this.scheme, await this.context(), signal);
    } catch (thrown) {
      if (thrown instanceof FlowStoneError) return thrown;
      return this.#failed(`failed: ${messageOf(thrown)}`, thrown);
    }
  }

  #fallSilent(call: Promise<unknown>): FlowStoneError {
    const seconds = SCHEME_LIMIT / 1000;
    const failure = this.#failed(
      `has not answered for ${seconds} s. Give what it asks a shorter time limit, or have the keys at hand (Partitions.dynamic)`,
    );
    const silent = { failure, until: performance.now() + SCHEME_LIMIT };
    this.#silent = silent;
    void call.finally(() => {
      if (this.#silent === silent) this.#silent = undefined;
    });
    return failure;
  }

  #failed(how: string, cause?: unknown): FlowStoneError {
    const { name } = this.scheme;
    const message = `The function of the custom scheme "${name}" ${how}. Until it answers, nothing that needs its partitions can be planned or run.`;
    return new FlowStoneError('FLOWSTONE_PARTITION_SCHEME_FAILED', message, { cause, context: { scheme: name } });
  }
}
