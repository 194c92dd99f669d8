// What attempts are made of: a claim with what it consumes, and what all attempts of a process share.
import type { AssetContext, BatchContext, BatchItem, BatchResults, ContextLogger } from '../assets/asset.context.js';
import type { AssetDefinition } from '../assets/asset.definition.js';
import type { PartitionSlice, StoredValue, UnwrittenValue } from '../io/io-manager.port.js';
import type { ApprovalRecord } from '../ledger/approval.records.js';
import type { ApprovalRequest, Asked } from '../ledger/approvals.port.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { ValueSql } from '../ledger/value-database.port.js';
import type { Claim, Outcome } from '../ledger/work.js';
import type { PartitionSet } from '../partitions/partition-set.js';
import type { Abort } from './abort.js';
import type { AttemptLog } from './attempt.log.js';
import type { Pulse } from './heartbeat/pulse.js';
import type { ValueGuards } from './value.guard.js';
import type { PinLoader, PinnedDependency } from './input.loader.js';

/** What computes values, or asks for them: the class of an asset, or what stands for that of a checkpoint. */
export interface Executable {
  execute(context: AssetContext, inputs: Readonly<Record<string, unknown>>): unknown;
  /** Of an asset that declares batches, which has it instead. */
  executeMany?(context: BatchContext, items: readonly BatchItem[]): BatchResults<unknown>;
}

/** A value that was stored, and by which manager. */
export type Stored = StoredValue & { readonly io: string };

/** A value that is to be written with its record. */
export interface Unwritten extends UnwrittenValue {
  write(sql: ValueSql): Promise<Stored>;
}

/** What all attempts of a process share. */
export interface AttemptHost {
  readonly namespace: string;
  readonly cancelGrace: number;
  readonly ledger: Pick<Ledger, 'start'>;
  readonly pulse: Pick<Pulse, 'begin'>;
  readonly loader: PinLoader;
  /** What looks at values before they may be committed. */
  readonly guards: ValueGuards;
  /** Stores with the manager the asset declares; returns that manager's name too. */
  store(
    definition: AssetDefinition,
    claim: Claim,
    slice: () => PartitionSlice,
    value: unknown,
    signal: AbortSignal,
  ): Promise<Stored | Unwritten>;
  /**
   * Commits a success together with its value, in the ledger's own database. Resolves also where another attempt or a
   * cancel won; rejects with what writing the value threw, or once told to stop, nothing being recorded then.
   */
  commit(
    claim: Claim,
    value: Unwritten,
    outcomeOf: (stored: Stored) => Outcome,
    abort: Pick<Abort, 'throwIfAborted'>,
  ): Promise<void>;
  /** Pauses the attempt until people have decided. What came of that: all but `moved` and `cancelled` end the attempt. */
  ask(claim: Claim, request: ApprovalRequest): Promise<Asked['kind']>;
  /** A decision cannot be carried out any more: people are to be asked again. */
  supersede(claim: Claim, approval: number): Promise<void>;
  resourcesOf(definition: AssetDefinition): Readonly<Record<string, unknown>>;
  loggerOf(name: string): ContextLogger;
  /** Where the code of an attempt logs. */
  logOf(claim: Claim): AttemptLog;
  progress(claim: Claim, done: number, total: number | undefined): void;
  random(): number;
}

/** A claim with what the look-again found it consumes. */
export interface Prepared {
  readonly claim: Claim;
  readonly definition: AssetDefinition;
  readonly executable: Executable;
  /** What it consumes: without those that only order. */
  readonly dependencies: readonly PinnedDependency[];
  readonly inputs: string;
  readonly upstreams: string;
  /** The decision that it carries out, if it does. */
  readonly decided?: ApprovalRecord;
  /** The partitions of its asset, and which of them it is; -1: it was retired meanwhile. */
  readonly partitions: PartitionSet;
  readonly ordinal: number;
}
