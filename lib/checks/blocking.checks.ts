// Checks that decide whether a value may be committed.
import type { ContextLogger } from '../assets/asset.context.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { NewCheckResult } from '../ledger/check.records.js';
import type { CheckLedger } from '../ledger/checks.port.js';
import { messageOf, placeName } from '../runs/failure.js';
import type { GuardedPlace, ValueGuard, ValueGuards } from '../runs/value.guard.js';
import { callCheck, type Finding } from './check.call.js';
import type { OwnCheck } from './declared.checks.js';

export interface BlockingParts {
  readonly ledger: () => CheckLedger;
  readonly loggerOf: (name: string) => ContextLogger;
  /** Something was recorded. */
  readonly recorded: () => void;
}

export function blockingGuards(checks: readonly OwnCheck[], parts: BlockingParts): ValueGuards {
  const blocking = checks.filter((check) => check.blocking);
  const assets = new Set(blocking.map(({ asset }) => asset));
  return new Map(
    Array.from(assets, (key): [string, ValueGuard] => [
      key,
      new Guard(
        blocking.filter(({ asset }) => asset === key),
        parts,
      ),
    ]),
  );
}

class Guard implements ValueGuard {
  constructor(
    private readonly checks: readonly OwnCheck[],
    private readonly parts: BlockingParts,
  ) {}

  /** All look at it, and what each has found is kept, before it is decided. */
  async examine(value: unknown, { claim, partition, signal }: GuardedPlace): Promise<void> {
    const { id: materialization, epoch, run, asset } = claim;
    const results: NewCheckResult[] = [];
    const findings: (Finding & { readonly check: OwnCheck })[] = [];
    for (const check of this.checks) {
      const logger = this.parts.loggerOf(
        `${placeName({ asset, partition: partition.key || undefined })} ${check.name}`,
      );
      const context = { check: check.name, asset, partition, materialization, run, logger, signal };
      const finding = await callCheck(check, context, () => value);
      // Told to stop: nobody waits for what it would have found.
      signal.throwIfAborted();
      findings.push({ ...finding, check });
      const { status, message, metadata, duration } = finding;
      results.push({
        ...{ asset, partition: claim.partition, materialization, epoch, check: check.name, severity: check.severity },
        ...{ status, message, metadata, duration, onDemand: false, by: null },
      });
    }
    await this.parts.ledger().record(results);
    this.parts.recorded();
    const place = { run, asset, partition: partition.key || undefined, attempt: claim.attempt };
    const failed = findings.filter(({ status }) => status === 'failed');
    if (failed.length > 0) throw checkFailed(place, failed);
    const errored = findings.find(({ status }) => status === 'errored');
    if (errored) throw checkErrored(place, errored);
  }
}

type Place = Parameters<typeof placeName>[0] & { readonly run: number; readonly attempt: number };

function checkFailed(place: Place, failed: readonly (Finding & { readonly check: OwnCheck })[]): FlowStoneError {
  const told = failed.map(({ check, message }) => (message === null ? check.name : `${check.name} (${message})`));
  const checks = failed.map(({ check, message, metadata }) => ({ check: check.name, message, metadata }));
  return new FlowStoneError(
    'FLOWSTONE_CHECK_FAILED',
    `The value of ${placeName(place)} was not committed, since ${told.length === 1 ? 'a check' : 'checks'} failed: ${told.join('; ')}. What was there before stays. Mend what it is computed from, then materialize it again.`,
    { context: { ...place, checks } },
  );
}

function checkErrored(place: Place, { check, thrown }: Finding & { readonly check: OwnCheck }): FlowStoneError {
  if (thrown instanceof FlowStoneError) return thrown;
  const final = typeof thrown === 'object' && thrown !== null && 'retryable' in thrown && thrown.retryable === false;
  return new FlowStoneError(
    'FLOWSTONE_CHECK_ERRORED',
    `The value of ${placeName(place)} was not committed, since its check ${check.name} could not look at it: ${messageOf(thrown)}`,
    { cause: thrown, context: { ...place, check: check.name }, ...(final && { retryable: false }) },
  );
}
