// Why something is not fresh or is in a plan, as data with a sentence for people. How it is found: explanation.ts.

/** Lists in reasons name at most so many partitions; `count` tells all. */
export const MOST_LISTED = 10;

/** A version that was consumed and the one there is now. */
export interface VersionChange {
  readonly partition: string;
  readonly from: string;
  readonly to: string;
}

/** Partitions of one asset, the first few by name. */
interface NamedPartitions {
  readonly asset: string;
  readonly partitions: readonly string[];
  readonly count: number;
}

type StaleFacts =
  /** There is no value; `lost` says why one that was recorded is gone. */
  | { readonly kind: 'missing'; readonly lost: string | null }
  | { readonly kind: 'code_changed'; readonly from: string | null; readonly to: string }
  | { readonly kind: 'upstreams_changed'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly kind: 'invalidated' }
  | {
      readonly kind: 'upstream_changed';
      readonly asset: string;
      readonly changes: readonly VersionChange[];
      readonly count: number;
    }
  /** The set of upstream partitions differs from the set consumed. */
  | (NamedPartitions & { readonly kind: 'partitions_added' | 'partitions_removed' })
  /** Transitive: what is above is not fresh itself. */
  | (NamedPartitions & { readonly kind: 'upstream_stale' | 'upstream_missing' })
  /** What is recorded of its inputs differs from what is there, and the record does not say in what. */
  | { readonly kind: 'inputs_changed' };

type PlanFacts =
  | { readonly kind: 'forced' }
  /** Fresh now; runs if one of these planned upstream entries comes out with another version. */
  | (NamedPartitions & { readonly kind: 'upstream_planned' });

/** One reason why a partition is stale or missing. `message` is for people. */
export type StaleReason = StaleFacts & { readonly message: string };

/** One reason why an entry is in a plan: what makes it stale, or what was asked for. */
export type PlanReason = StaleReason | (PlanFacts & { readonly message: string });

/** The facts with their sentence. */
export function reasonOf<F extends StaleFacts | PlanFacts>(facts: F): F & { readonly message: string } {
  return { ...facts, message: sentence(facts) };
}

/** `asset[a, b]`, `asset[a, b and 8 more]`, or the asset alone where it has no partitions. */
export function namePartitions(asset: string, partitions: readonly string[], count: number): string {
  if (count === 1 && partitions[0] === '') return asset;
  const more = count > partitions.length ? ` and ${count - partitions.length} more` : '';
  return `${asset}[${partitions.join(', ')}${more}]`;
}

const NAMED_ENDINGS = {
  partitions_added: 'was added since',
  partitions_removed: 'is no longer there',
  upstream_stale: 'is stale',
  upstream_missing: 'is missing',
  upstream_planned: 'is planned and may change',
} as const;

function sentence(facts: StaleFacts | PlanFacts): string {
  switch (facts.kind) {
    case 'missing':
      return facts.lost ?? 'never materialized, or deleted';
    case 'code_changed':
      return `code version changed ${facts.from ?? '(none)'} → ${facts.to}`;
    case 'upstreams_changed': {
      const added = facts.added.map((key) => `upstream ${key} was added`);
      return [...added, ...facts.removed.map((key) => `upstream ${key} was removed`)].join(', ');
    }
    case 'invalidated':
      return 'invalidated';
    case 'upstream_changed':
      return changeSentence(facts.asset, facts.changes, facts.count);
    case 'inputs_changed':
      return 'recorded inputs differ from what is there now';
    case 'forced':
      return 'forced';
    default: {
      const name = namePartitions(facts.asset, facts.partitions, facts.count);
      return `upstream ${name} ${NAMED_ENDINGS[facts.kind]}`;
    }
  }
}

function changeSentence(asset: string, changes: readonly VersionChange[], count: number): string {
  const partitions = changes.map((change) => change.partition);
  const name = namePartitions(asset, partitions, count);
  const [first] = changes;
  if (count > 1 || first === undefined) return `upstream ${name} changed`;
  return `upstream ${name} changed ${shorten(first.from)} → ${shorten(first.to)}`;
}

/** Versions are often hashes: their beginning tells them apart. */
function shorten(version: string): string {
  return version.length > 16 ? `${version.slice(0, 12)}…` : version;
}
