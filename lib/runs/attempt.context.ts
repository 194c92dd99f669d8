// What the code of an attempt is given of its materialization: made of the claim and of what all attempts share.
import {
  contextPartition,
  type AssetContext,
  type ContextLog,
  type ContextLogger,
  type ContextPartition,
  type ContextReport,
} from '../assets/asset.context.js';
import type { Abort } from './abort.js';
import type { AttemptHost, Prepared } from './attempt.host.js';
import { contextLog, keptLogger } from './attempt.log.js';
import type { AttemptResult } from './attempt.result.js';
import { placeName } from './failure.js';

/** The first argument of `execute`. What most code does not ask for is made when it does. */
export class AttemptContext implements AssetContext {
  readonly run: number;
  readonly asset: string;
  readonly partition: ContextPartition;
  readonly attempt: number;
  readonly epoch: number;
  readonly resources: AssetContext['resources'];
  readonly idempotencyKey: string;
  readonly previousVersion: string | undefined;
  // Functions of their own, so that code may take them out of the context.
  readonly report: (report: ContextReport) => void;
  readonly progress: (done: number, total?: number) => void;
  readonly #host: AttemptHost;
  readonly #result: AttemptResult;
  readonly #abort: Abort;
  #logger: ContextLogger | undefined;
  #log: ContextLog | undefined;

  constructor(host: AttemptHost, prepared: Prepared, result: AttemptResult, abort: Abort) {
    const { claim } = prepared;
    this.run = claim.run;
    this.asset = claim.asset;
    this.partition = partitionOf(prepared);
    this.attempt = claim.attempt;
    this.epoch = claim.epoch;
    this.resources = host.resourcesOf(prepared.definition);
    this.idempotencyKey = `${host.namespace}:${claim.id}`;
    this.previousVersion = claim.head.dataVersion ?? undefined;
    this.report = (report) => result.report(report);
    this.progress = (done, total) => {
      if (!result.isOver) host.progress(claim, done, total);
    };
    this.#host = host;
    this.#result = result;
    this.#abort = abort;
  }

  get logger(): ContextLogger {
    return (this.#logger ??= keptLogger(this.#plainLogger(), () => this.#result.log));
  }

  get log(): ContextLog {
    return (this.#log ??= contextLog(() => this.#result.log, this.#plainLogger()));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  #plainLogger(): ContextLogger {
    return this.#host.loggerOf(`${placeName(this.#result.place)} run ${this.run}`);
  }
}

/** The partition that is computed. One that was retired while its materialization waited has only its key. */
export function partitionOf({ claim, partitions, ordinal }: Prepared): ContextPartition {
  return ordinal < 0
    ? contextPartition(claim.partition, undefined, undefined)
    : contextPartition(claim.partition, partitions.windowAt(ordinal), partitions.dimensionsAt(ordinal));
}
