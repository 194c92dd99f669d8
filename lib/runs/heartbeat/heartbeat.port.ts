// The port of the heartbeat: what renews the lease of this process, from its event loop or from a thread beside it.
import type { Renewal } from '../../ledger/registrations.js';
import type { BlockedPlace } from '../../ledger/sql/lease-ledger.js';
import type { Failure } from '../failure.js';

/** What renewing tells. */
export interface RenewalNews {
  /** The ledger answered. Where the lease is lost (not `alive`), nothing is renewed until `keep` is called again. */
  renewed(process: string, renewal: Renewal): void;
  /** The ledger cannot be reached, told once until it can. It is tried for ever: a lost connection is no lost lease. */
  failed(error: unknown): void;
}

/** What the heartbeat tells, in the event loop of the application. */
export interface HeartbeatNews extends RenewalNews {
  /** The event loop did not turn for so many ms, while these materializations executed. It is recorded already. */
  blocked(milliseconds: number, executing: readonly BlockedPlace[]): void;
  /** Attempts past their timeout were fenced off meanwhile. */
  timedOut(settled: TimedOut): void;
}

/** What came of fencing off attempts whose timeout has passed. */
export interface TimedOut {
  readonly failures: readonly Failure[];
  readonly endedRuns: readonly number[];
  /** Pools in which there may be work now. */
  readonly rings: readonly string[];
}

export interface Heartbeat {
  /** Renews the lease of this process from now on; of another one no longer. */
  keep(process: string): void;
  /** Ends it: nothing of it is left when the promise resolves. */
  stop(): Promise<void>;
}

export type MakeHeartbeat = (news: HeartbeatNews) => Heartbeat;

/** Renewals on some connection to the ledger. */
export interface Leases {
  /** See Ledger.renew. */
  renew(process: string, cutOff: boolean): Promise<Renewal>;
  close(): Promise<void>;
}
