// flowstone.checks: which checks there are, what they found, and having them look now.
import type { AssetClass, CheckDefinition, DeclaredAsset } from '../assets/asset.definition.js';
import { oneOf, text, texts, wholeFrom, type Expectation } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { CheckResult, CheckStatus } from '../ledger/check.records.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { Page, PageRequest } from '../ledger/page.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import { elsewhere, requireOptions } from '../request.options.js';
import { placeName } from '../runs/failure.js';
import type { RecordedPlace } from '../runs/value.reader.js';
import type { OwnCheck } from './declared.checks.js';
import type { ValueInspector } from './value.inspector.js';

export interface CheckDeskParts {
  readonly ledger: Pick<Ledger, 'checks' | 'heads' | 'materialization'>;
  readonly definitions: () => readonly DeclaredAsset[];
  readonly resolve: (asset: AssetClass | string) => DeclaredAsset;
  readonly recorded: (asset: AssetClass | string, input: PartitionKeyInput | undefined) => Promise<RecordedPlace>;
  /** Those of this process. */
  readonly own: readonly OwnCheck[];
  readonly inspector: ValueInspector;
  readonly beforeUse: () => void;
}

/** A check as declared. */
export interface DeclaredCheck extends CheckDefinition {
  readonly asset: string;
}

export interface CheckResultFilter {
  readonly partition?: PartitionKeyInput;
  readonly check?: string;
  readonly status?: CheckStatus;
  readonly materialization?: number;
}

export interface RunChecksOptions {
  readonly partition?: PartitionKeyInput;
  /** Names; default: all that this process declares of the asset. */
  readonly checks?: readonly string[];
  /** Who asks. */
  readonly by?: string;
}

const RESULTS: Readonly<Record<keyof CheckResultFilter, Expectation>> = {
  partition: elsewhere,
  check: text,
  status: oneOf('passed', 'failed', 'errored', 'skipped'),
  materialization: wholeFrom(1, Number.MAX_SAFE_INTEGER),
};
const RUN: Readonly<Record<keyof RunChecksOptions, Expectation>> = { partition: elsewhere, checks: texts, by: text };
const PAGE: Readonly<Record<keyof PageRequest, Expectation>> = {
  limit: wholeFrom(1),
  before: wholeFrom(1, Number.MAX_SAFE_INTEGER),
};

export class Checks {
  /** @param parts found when they are used: the application may not have started yet */
  constructor(private readonly parts: () => CheckDeskParts) {}

  /** The checks of all assets, or of one, as they count now: also those that only other processes declare. */
  declared(asset?: AssetClass | string): readonly DeclaredCheck[] {
    const { definitions, resolve } = this.parts();
    const assets = asset === undefined ? definitions() : [resolve(asset)];
    return assets.flatMap(({ key, checks }) => checks.map((check) => ({ asset: key, ...check })));
  }

  /** What checks of an asset have found, newest first: also of earlier versions, and of attempts that were not committed. */
  async results(
    asset: AssetClass | string,
    filter: CheckResultFilter = {},
    page: PageRequest = { limit: 50 },
  ): Promise<Page<CheckResult>> {
    requireOptions('checks.results()', filter, RESULTS);
    requireOptions('A page', page, PAGE, ['limit']);
    const { ledger, resolve, recorded } = this.#used();
    const { partition: input, ...others } = filter;
    const { key } = resolve(asset);
    const partition = input === undefined ? {} : { partition: (await recorded(asset, input)).key };
    return ledger.checks.results({ asset: key, ...others, ...partition }, page);
  }

  /** Of the value that is there now: the newest result of each check that has looked at it, by name. */
  async latest(
    asset: AssetClass | string,
    options: { readonly partition?: PartitionKeyInput } = {},
  ): Promise<readonly CheckResult[]> {
    requireOptions('checks.latest()', options, { partition: elsewhere });
    const { ledger, recorded } = this.#used();
    const place = await recorded(asset, options.partition);
    return ledger.checks.latest(place.asset, [place.key]);
  }

  /**
   * Has checks look at the value that is there now, in this process, one after the other; what they find is kept, and nothing else
   * happens, also where a blocking one fails.
   * @throws FlowStoneError FLOWSTONE_CHECK_UNKNOWN: this process declares no such check of it; FLOWSTONE_VALUE_MISSING
   */
  async run(
    asset: AssetClass | string,
    options: RunChecksOptions = {},
  ): Promise<readonly Omit<CheckResult, 'id' | 'at'>[]> {
    requireOptions('checks.run()', options, RUN);
    const { ledger, recorded, inspector } = this.#used();
    const place = await recorded(asset, options.partition);
    const checks = this.#chosen(place.asset, options.checks);
    const [heads] = await ledger.heads([{ asset: place.asset, partitions: [place.key] }]);
    const materialization = heads!.get(place.key)?.materialization;
    if (materialization == null) {
      throw new FlowStoneError('FLOWSTONE_VALUE_MISSING', `${placeName(place)} has no value. Materialize it first.`, {
        context: { asset: place.asset, partition: place.partition },
      });
    }
    const run = (await ledger.materialization(materialization))?.run ?? null;
    const { signal } = new AbortController();
    const demand = { by: options.by ?? null };
    const results: Omit<CheckResult, 'id' | 'at'>[] = [];
    for (const check of checks)
      results.push(await inspector.inspect(check, { partition: place.key, materialization, run, demand, signal }));
    return results;
  }

  #chosen(asset: string, names: readonly string[] | undefined): readonly OwnCheck[] {
    const own = this.parts().own.filter((check) => check.asset === asset);
    if (names === undefined && own.length > 0) return own;
    const unknown = names?.find((name) => own.every((check) => check.name !== name));
    if (names && unknown === undefined) return own.filter(({ name }) => names.includes(name));
    const known = own.map(({ name }) => name);
    const message =
      unknown === undefined
        ? `This process declares no check of ${asset}. Ask one that does, or declare one with @Check.`
        : `This process declares no check '${unknown}' of ${asset}${didYouMean(unknown, known)}. It declares ${known.join(', ') || 'none'}.`;
    throw new FlowStoneError('FLOWSTONE_CHECK_UNKNOWN', message, { context: { asset, check: unknown } });
  }

  #used(): CheckDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}
