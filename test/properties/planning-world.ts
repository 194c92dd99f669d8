// A small world for properties of planning: random declarations, things that happen to them, and a naive model that
// works out status by definition, from sets and recursion. It shares the resolved mappings with planning, and no more.

import fc from 'fast-check';
import type { MappingSpec } from '../../lib/partitions/mapping.js';
import { mappingLooksBack, mappingProblem, resolveMapping } from '../../lib/partitions/mapping.js';
import type { PartitionMoment } from '../../lib/partitions/partition-set.js';
import { resolvePartitions } from '../../lib/partitions/partition-set.js';
import type { PartitionScheme } from '../../lib/partitions/partitions.js';
import { Partitions } from '../../lib/partitions/partitions.js';
import { declaredUpstreams } from '../../lib/planning/must-run.js';
import type { InputVersion, PlanningAsset, PlanningDependency } from '../../lib/planning/planning.port.js';
import { RecordedFacts } from '../unit/planning/recorded-facts.js';

const regions = Partitions.static(['north', 'south']);
const days = Partitions.daily({ start: '2001-01-30', end: '2001-02-03' });
const months = Partitions.monthly({ start: '2001-01-01', end: '2001-03-01' });
const SCHEMES: readonly (PartitionScheme | undefined)[] = [
  undefined,
  regions,
  days,
  Partitions.daily({ start: '2001-01-31', end: '2001-02-04' }),
  months,
  Partitions.dynamic('tenants'),
  Partitions.multi({ day: days, region: regions }),
];
const MAPPINGS: readonly MappingSpec[] = [
  { kind: 'same' },
  { kind: 'same', allowMissing: true },
  { kind: 'all' },
  { kind: 'within', allowMissing: true },
  { kind: 'window', start: -1, end: 0, allowMissing: true },
  { kind: 'window', start: -2, end: -1, allowMissing: true },
  { kind: 'latest' },
  { kind: 'keys', keys: ['south'] },
];
const PREVIOUS: MappingSpec = { kind: 'previous', start: -2, end: -1 };

/** What can happen to the records and declarations of an asset; `partition` picks one by remainder. */
export interface Happening {
  readonly kind:
    | 'materialize'
    | 'change_content'
    | 'change_code'
    | 'invalidate'
    | 'delete'
    | 'lose'
    | 'fail'
    | 'drop_dependency'
    | 'add_tenant'
    | 'remove_tenant';
  readonly asset: number;
  readonly partition: number;
}

const KINDS: readonly Happening['kind'][] = [
  'materialize',
  'materialize',
  'materialize',
  'change_content',
  'change_code',
  'invalidate',
  'delete',
  'lose',
  'fail',
  'drop_dependency',
  'add_tenant',
  'remove_tenant',
];

export const happenings: fc.Arbitrary<readonly Happening[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...KINDS), asset: fc.nat(5), partition: fc.nat(20) }),
  { maxLength: 40 },
);

type DrawnAsset = typeof drawnAsset extends fc.Arbitrary<infer Drawn> ? Drawn : never;
const drawnAsset = fc.record({
  scheme: fc.constantFrom(...SCHEMES),
  external: fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
  consumesPast: fc.boolean(),
  upstreams: fc.array(
    fc.record({
      pick: fc.nat(),
      mapping: fc.nat(),
      binding: fc.constantFrom('required', 'required', 'optional', 'ordering'),
    }),
    { maxLength: 3 },
  ),
});

/** Declarations without problems: every mapping fits its schemes, no partition depends on itself. */
export const declarations: fc.Arbitrary<readonly PlanningAsset[]> = fc
  .array(drawnAsset, { minLength: 1, maxLength: 6 })
  .map((drawn) => {
    const assets = declare(drawn, true);
    return new World(assets).isCircular() ? declare(drawn, false) : assets;
  });

/** `lookingForward`: mappings that look back may lead to later assets, too. */
function declare(drawn: readonly DrawnAsset[], lookingForward: boolean): PlanningAsset[] {
  return drawn.map(({ scheme, external, consumesPast, upstreams }, index) => {
    const dependencies: PlanningDependency[] = [];
    const add = (upstream: number, mapping: MappingSpec, binding: string): void => {
      const alias = `input${dependencies.length}`;
      const bound = { optional: binding === 'optional', ordering: binding === 'ordering' };
      dependencies.push({ alias, upstream: `a${upstream}`, mapping, ...bound });
    };
    for (const { pick, mapping, binding } of upstreams) {
      const upstream = pick % drawn.length;
      const fitting = MAPPINGS.filter((spec) => mappingProblem(spec, scheme, drawn[upstream]!.scheme) === undefined);
      const spec = fitting[mapping % Math.max(1, fitting.length)];
      const isForward = upstream > index && spec !== undefined && mappingLooksBack(spec);
      if (spec !== undefined && (upstream < index || (lookingForward && isForward))) add(upstream, spec, binding);
    }
    if (consumesPast && mappingProblem(PREVIOUS, scheme, scheme) === undefined) add(index, PREVIOUS, 'required');
    return { key: `a${index}`, external, codeVersion: '1', scheme, dependencies: external ? [] : dependencies };
  });
}

/** Declarations and records that change; everything else is worked out from these anew at every question. */
export class World {
  readonly facts = new RecordedFacts();
  readonly tenants = ['t1', 't2'];
  readonly #content = new Map<string, number>();

  constructor(public assets: readonly PlanningAsset[]) {}

  get moment(): PartitionMoment {
    const now = new Date('2002-01-01T00:00:00Z');
    return { now, dynamicKeys: () => [...this.tenants], customKeys: () => [] };
  }

  asset(key: string): PlanningAsset {
    return this.assets.find((asset) => asset.key === key)!;
  }

  partitionsOf(asset: PlanningAsset): string[] {
    const set = resolvePartitions(asset.scheme, this.moment);
    return Array.from({ length: set.size }, (_, ordinal) => set.keyAt(ordinal));
  }

  /** Upstream partitions a dependency names, and those it names that do not exist. */
  named(asset: PlanningAsset, dependency: PlanningDependency, partition: string): { exist: string[]; lack: string[] } {
    const upstream = this.asset(dependency.upstream);
    const down = { scheme: asset.scheme, set: resolvePartitions(asset.scheme, this.moment) };
    const up = { scheme: upstream.scheme, set: resolvePartitions(upstream.scheme, this.moment) };
    const mapping = resolveMapping(dependency.mapping, down, up);
    const ordinal = down.set.ordinalOf(partition);
    const exist: string[] = [];
    mapping.upstreamOf(ordinal, (from, to) => {
      for (let at = from; at < to; at++) exist.push(up.set.keyAt(at));
    });
    return { exist, lack: [...mapping.missingOf(ordinal)] };
  }

  /** Whether some partition depends on itself, through whatever others. */
  isCircular(): boolean {
    const marks = new Map<string, 'open' | 'done'>();
    const leadsBack = (asset: PlanningAsset, partition: string): boolean => {
      const name = `${asset.key} ${partition}`;
      const mark = marks.get(name);
      if (mark !== undefined) return mark === 'open';
      marks.set(name, 'open');
      const found = asset.dependencies.some((dependency) =>
        this.named(asset, dependency, partition).exist.some((key) => leadsBack(this.asset(dependency.upstream), key)),
      );
      marks.set(name, 'done');
      return found;
    };
    return this.assets.some((asset) => this.partitionsOf(asset).some((partition) => leadsBack(asset, partition)));
  }

  /** What it would consume now, each version once. */
  inputs(asset: PlanningAsset, partition: string): InputVersion[] {
    const inputs = new Map<string, InputVersion>();
    for (const dependency of asset.dependencies.filter(({ ordering }) => !ordering)) {
      for (const key of this.named(asset, dependency, partition).exist) {
        const version = this.facts.version(dependency.upstream, key);
        if (version !== undefined) inputs.set(`${dependency.upstream} ${key}`, version);
      }
    }
    return [...inputs.values()];
  }

  /** Computes and records it, as a worker would. Few versions exist, so that values often come out as before. */
  materialize(asset: PlanningAsset, partition: string): void {
    const inputs = this.inputs(asset, partition);
    let value = (this.#content.get(asset.key) ?? 0) + Number(asset.codeVersion);
    for (const { dataVersion } of inputs) value += Number(dataVersion);
    this.facts.materialize(asset, partition, String(value % 3), inputs);
  }

  happen({ kind, asset: pick, partition: pickPartition }: Happening): void {
    const asset = this.assets[pick % this.assets.length]!;
    const partitions = this.partitionsOf(asset);
    const partition = partitions[pickPartition % Math.max(1, partitions.length)];
    if (kind === 'change_content') this.#content.set(asset.key, pickPartition);
    else if (kind === 'change_code') this.#declare({ ...asset, codeVersion: String(1 + (pickPartition % 3)) });
    else if (kind === 'drop_dependency') this.#declare({ ...asset, dependencies: asset.dependencies.slice(1) });
    else if (kind === 'add_tenant') this.tenants.push(`t${this.tenants.length + 1}`);
    else if (kind === 'remove_tenant') this.tenants.pop();
    else if (partition === undefined) return;
    else if (kind === 'materialize') this.materialize(asset, partition);
    else if (kind === 'delete') this.facts.delete(asset.key, partition);
    else if (kind === 'invalidate') this.facts.change(asset.key, partition, { invalidated: true });
    else if (kind === 'lose')
      this.facts.change(asset.key, partition, asset.external ? {} : { lost: 'in memory', volatile: true });
    else this.facts.change(asset.key, partition, { failed: true });
  }

  #declare(changed: PlanningAsset): void {
    this.assets = this.assets.map((asset) => (asset.key === changed.key ? changed : asset));
  }

  /** Status by definition. */
  status(asset: PlanningAsset, partition: string): 'missing' | 'stale' | 'fresh' {
    if (asset.external) return 'fresh';
    if (this.facts.version(asset.key, partition) === undefined) return 'missing';
    return this.differs(asset, partition) || this.#isBelowStale(asset, partition) ? 'stale' : 'fresh';
  }

  #isBelowStale(asset: PlanningAsset, partition: string): boolean {
    return this.#required(asset, partition).some(([upstream, key]) => this.status(upstream, key) !== 'fresh');
  }

  #required(asset: PlanningAsset, partition: string): [PlanningAsset, string][] {
    return asset.dependencies
      .filter(({ optional, ordering }) => !optional && !ordering)
      .flatMap((dependency) =>
        this.named(asset, dependency, partition).exist.map((key): [PlanningAsset, string] => [
          this.asset(dependency.upstream),
          key,
        ]),
      );
  }

  /** Whether it has no value or differs from its head by itself; inputs are not compared while one is missing. */
  differs(asset: PlanningAsset, partition: string): boolean {
    if (this.facts.version(asset.key, partition) === undefined) return true;
    const head = this.facts.head(asset.key, partition)!;
    if (head.invalidated || head.codeVersion !== asset.codeVersion) return true;
    if (head.upstreams !== declaredUpstreams(asset)) return true;
    if (this.#required(asset, partition).some(([upstream, key]) => this.status(upstream, key) === 'missing'))
      return false;
    const texts = (inputs: readonly InputVersion[]) =>
      inputs
        .map((input) => JSON.stringify(input))
        .sort()
        .join();
    return texts(this.facts.inputsOf(asset.key, partition)) !== texts(this.inputs(asset, partition));
  }
}
