// Checks of values that are committed: after each commit, told by the event log so that none is missed, and on demand.
import type { ContextLogger, ContextPartition } from '../assets/asset.context.js';
import type { Hook } from '../events/hook.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { CheckResult, NewCheckResult } from '../ledger/check.records.js';
import type { CheckLedger } from '../ledger/checks.port.js';
import { placeName } from '../runs/failure.js';
import { isOutage } from '../runs/patience.js';
import type { RecordedPlace } from '../runs/value.reader.js';
import { callCheck, type Finding } from './check.call.js';
import type { OwnCheck } from './declared.checks.js';

export interface InspectorParts {
  readonly ledger: () => CheckLedger;
  /** The value of a version. */
  readonly load: (place: RecordedPlace, version: number) => Promise<unknown>;
  readonly partitionOf: (asset: string, key: string) => Promise<ContextPartition>;
  readonly isPartitioned: (asset: string) => boolean;
  readonly loggerOf: (name: string) => ContextLogger;
  /** Something was recorded. */
  readonly recorded: () => void;
}

/** A committed value that is looked at, and who asked for it. */
export interface Inspected {
  readonly partition: string;
  readonly materialization: number;
  readonly run: number | null;
  readonly demand?: { readonly by: string | null };
  readonly signal: AbortSignal;
}

/** What telling of the value and keeping the result may take beside the check itself, ms. */
const BESIDE = 30_000;

/** That a version has no value any more, or never had one of its own. */
const GONE: ReadonlySet<string> = new Set([
  'FLOWSTONE_IO_VERSION_NOT_KEPT',
  'FLOWSTONE_VALUE_MISSING',
  'FLOWSTONE_IO_VALUE_NOT_FOUND',
  'FLOWSTONE_IO_VALUE_MOVED',
]);

export class ValueInspector {
  constructor(private readonly parts: InspectorParts) {}

  /** One for each check that does not block: called at each commit of its asset, in one process, until it has an answer. */
  hooks(checks: readonly OwnCheck[]): Hook[] {
    return checks
      .filter(({ blocking }) => !blocking)
      .map((check) => ({
        // Both may have dots.
        name: `check ${check.asset} ${check.name}`,
        events: ['materialization.success', 'asset.version_reported'],
        assets: [check.asset],
        attempts: undefined,
        limit: check.timeout + BESIDE,
        call: async ({ partition, materialization, run }, { signal }) => {
          if (materialization === null) return;
          await this.inspect(check, { partition: partition ?? '', materialization, run, signal });
        },
      }));
  }

  /** What it found, once that is kept. Rejects while the ledger cannot be reached. */
  async inspect(check: OwnCheck, inspected: Inspected): Promise<Omit<CheckResult, 'id' | 'at'>> {
    const { parts } = this;
    const { asset, name, severity } = check;
    const { partition: key, materialization, run, demand, signal } = inspected;
    const partitioned = parts.isPartitioned(asset);
    const place = { asset, key, partition: partitioned ? key : undefined };
    const partition = await parts.partitionOf(asset, key);
    const logger = parts.loggerOf(`${placeName(place)} ${name}`);
    const context = { check: name, asset, partition, materialization, run, logger, signal };
    const finding = await callCheck(check, context, () =>
      check.destination ? undefined : this.#value(place, materialization),
    );
    if (isOutage(finding.thrown)) throw finding.thrown;
    signal.throwIfAborted();
    const { status, message, metadata, duration } = isGone(finding) ? skipped(finding) : finding;
    const result: NewCheckResult = {
      ...{ asset, partition: key, materialization, epoch: null, check: name, severity },
      ...{ status, message, metadata, duration, onDemand: demand !== undefined, by: demand?.by ?? null },
    };
    await parts.ledger().record([result]);
    parts.recorded();
    return result;
  }

  async #value(place: RecordedPlace, version: number): Promise<unknown> {
    try {
      return await this.parts.load(place, version);
    } catch (error) {
      if (error instanceof FlowStoneError && error.code === 'FLOWSTONE_INPUT_WITHOUT_VALUE') return undefined;
      throw error;
    }
  }
}

function isGone({ thrown }: Finding): boolean {
  return thrown instanceof FlowStoneError && GONE.has(thrown.code);
}

function skipped({ duration }: Finding): Finding {
  return { status: 'skipped', message: 'the value was replaced or removed before', metadata: null, duration };
}
