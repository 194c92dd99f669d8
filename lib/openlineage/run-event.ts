// One attempt as a run event of OpenLineage: what the ledger records of it and what is declared, in the words of others.
// Pure: who reads that stands in attempt.events.ts.
import { createHash } from 'node:crypto';
import type { DeclaredAsset } from '../assets/asset.definition.js';
import type { AttemptNotice } from '../ledger/outbox.port.js';
import type { ConsumedInput, ErrorRecord, JsonObject, MaterializationRecord } from '../ledger/records.js';
import { isTimeScheme, type PartitionScheme, type TimeScheme } from '../partitions/partition-scheme.js';
import { partNames } from '../partitions/partition-dimensions.js';
import { decodeDimensions } from '../partitions/partition-key.js';
import { resolvePartitions, type PartitionWindow } from '../partitions/partition-set.js';
import { EVENT_SCHEMA, Facets, present } from './facets.js';
import { stableUuid } from './stable-uuid.js';

/** Partitions of one input that are named at most. */
const MOST_PARTITIONS = 1000;

/** The same for all events. */
export interface Setting {
  /** Of jobs and datasets. */
  readonly namespace: string;
  readonly producer: string;
  /** What tells this ledger from any other. */
  readonly installation: string;
  /** What is declared of an asset, where this process knows it. */
  readonly definitionOf: (asset: string) => DeclaredAsset | undefined;
}

/** What is to be told of an attempt. */
export interface AttemptFacts {
  readonly record: MaterializationRecord;
  /** 1 for the first. */
  readonly attempt: number;
  readonly at: Date;
  /** Undefined: it began. */
  readonly how: AttemptNotice['ended'][number][2] | undefined;
  /** Why it failed, where another attempt followed. */
  readonly error: ErrorRecord | null;
  /** What it consumed, of a success. */
  readonly consumed: readonly ConsumedInput[];
}

/** The event, valid by the official schema. */
export function runEvent(facts: AttemptFacts, setting: Setting): JsonObject {
  const { record, at } = facts;
  const facets = new Facets(setting.producer);
  const definition = setting.definitionOf(record.asset);
  return {
    eventType: eventType(facts.how),
    eventTime: at.toISOString(),
    producer: setting.producer,
    schemaURL: EVENT_SCHEMA,
    run: {
      runId: stableUuid(setting.installation, `materialization ${record.id} attempt ${facts.attempt}`),
      facets: runFacets(facts, definition, facets, setting),
    },
    job: {
      namespace: setting.namespace,
      name: record.asset,
      facets: {
        jobType: facets.facet('jobType', { processingType: 'BATCH', integration: 'FLOWSTONE', jobType: 'ASSET' }),
        ...declaredFacets(definition, 'job', facets),
      },
    },
    inputs: inputs(facts, definition, facets, setting),
    outputs: outputs(facts, definition, facets, setting),
  };
}

function eventType(how: AttemptFacts['how']): string {
  switch (how) {
    case undefined:
      return 'START';
    case 'success':
    case 'skipped':
      return 'COMPLETE';
    case 'failed':
    case 'materialization.retrying':
    case 'materialization.rescued':
      return 'FAIL';
    default:
      return 'ABORT';
  }
}

function runFacets(
  { record, attempt, at, how, error }: AttemptFacts,
  definition: DeclaredAsset | undefined,
  facets: Facets,
  { namespace, installation }: Setting,
): JsonObject {
  const window = windowOf(definition?.scheme, record.partition, at);
  const failure = how === 'failed' ? record.error : how === 'materialization.rescued' ? LOST : error;
  return present({
    parent: facets.facet('parent', {
      run: { runId: stableUuid(installation, `run ${record.run}`) },
      job: { namespace, name: 'flowstone.run' },
    }),
    nominalTime:
      window &&
      facets.facet('nominalTime', {
        nominalStartTime: window.start.toISOString(),
        nominalEndTime: window.end.toISOString(),
      }),
    errorMessage:
      (failure &&
        facets.facet('errorMessage', {
          message: failure.message,
          programmingLanguage: 'JavaScript',
          ...(failure.stack !== undefined && { stackTrace: failure.stack }),
        })) ||
      undefined,
    flowstone_materialization: facets.own({
      materialization: record.id,
      run: record.run,
      attempt,
      partition: definition?.scheme ? record.partition : null,
      forced: record.forced,
      outcome: how?.replace('materialization.', '') ?? null,
      skipped: how === 'skipped' ? (record.skipped?.reason ?? null) : null,
      codeVersion: how === 'success' ? record.codeVersion : (definition?.codeVersion ?? null),
    }),
  });
}

const LOST: Pick<ErrorRecord, 'message' | 'stack'> = { message: 'The process that ran it was lost.' };

/** What it consumed; of what did not succeed, what it is declared to consume. */
function inputs(
  { how, consumed }: AttemptFacts,
  definition: DeclaredAsset | undefined,
  facets: Facets,
  { namespace, definitionOf }: Setting,
): JsonObject[] {
  if (how === 'skipped') return [];
  if (how !== 'success') {
    const upstreams = definition?.dependencies.filter(({ ordering }) => !ordering).map(({ upstream }) => upstream);
    return [...new Set(upstreams)].map((name) => ({ namespace, name }));
  }
  const byAsset = new Map<string, ConsumedInput[]>();
  for (const input of consumed) {
    const known = byAsset.get(input.asset);
    if (known) known.push(input);
    else byAsset.set(input.asset, [input]);
  }
  return [...byAsset].map(([name, versions]) => {
    const scheme = definitionOf(name)?.scheme;
    const keys = scheme ? versions.map(({ partition }) => partition) : [];
    return {
      namespace,
      name,
      facets: { version: facets.facet('version', { datasetVersion: versionOf(versions) }) },
      ...(keys.length > 0 && {
        inputFacets: { subset: facets.facet('subset', { inputCondition: condition(scheme, keys) }, 'input') },
      }),
    };
  });
}

/** Of one partition, or of none, its data version; of several, what changes with any of them. */
function versionOf(versions: readonly ConsumedInput[]): string {
  if (versions.length === 1) return versions[0]!.dataVersion;
  const all = versions.map(({ partition, dataVersion }) => JSON.stringify([partition, dataVersion])).sort();
  return createHash('sha256').update(all.join('\n')).digest('hex');
}

function outputs(
  { record, how }: AttemptFacts,
  definition: DeclaredAsset | undefined,
  facets: Facets,
  setting: Setting,
): JsonObject[] {
  const { namespace } = setting;
  const name = record.asset;
  if (how === 'skipped') return [];
  if (how !== 'success') return [{ namespace, name }];
  const { value } = record;
  const columns = columnsOf(record);
  const statistics = present({ rowCount: value?.rows ?? undefined, size: value?.size ?? undefined });
  return [
    {
      namespace,
      name,
      facets: present({
        ...declaredFacets(definition, 'dataset', facets),
        version: facets.facet('version', { datasetVersion: record.dataVersion! }),
        dataSource: value?.io != null ? facets.facet('dataSource', { name: value.io }) : undefined,
        storage:
          value?.io != null
            ? facets.facet('storage', {
                storageLayer: value.io,
                ...(value.format !== null && { fileFormat: value.format }),
              })
            : undefined,
        schema: schemaFacet(record, columns, facets),
        columnLineage: columnLineage(columns, definition, facets, setting),
      }),
      outputFacets: present({
        outputStatistics: (value && facets.facet('outputStatistics', statistics)) || undefined,
        subset: definition?.scheme
          ? facets.facet('subset', { outputCondition: condition(definition.scheme, [record.partition]) })
          : undefined,
      }),
    },
  ];
}

function declaredFacets(definition: DeclaredAsset | undefined, of: 'job' | 'dataset', facets: Facets): JsonObject {
  const { description, owners = [] } = definition ?? {};
  const [documentation, ownership] =
    of === 'job'
      ? (['jobDocumentation', 'jobOwnership'] as const)
      : (['datasetDocumentation', 'datasetOwnership'] as const);
  return present({
    documentation: description === undefined ? undefined : facets.facet(documentation, { description }),
    ownership: owners.length === 0 ? undefined : facets.facet(ownership, { owners: owners.map((name) => ({ name })) }),
  });
}

/** What `context.report({ columns })` said, as recorded. */
type Columns = Readonly<Record<string, { readonly description?: string; readonly from?: readonly string[] }>>;

function columnsOf({ metadata }: MaterializationRecord): Columns {
  const columns = metadata?.['columns'];
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns)) return {};
  return Object.fromEntries(
    Object.entries(columns as Readonly<Record<string, unknown>>).flatMap(
      ([name, said]): [string, Columns[string]][] => {
        if (typeof said !== 'object' || said === null) return [];
        const { description, from } = said as { readonly description?: unknown; readonly from?: unknown };
        const texts = Array.isArray(from) ? from.filter((one): one is string => typeof one === 'string') : [];
        return [[name, { ...(typeof description === 'string' && { description }), from: texts }]];
      },
    ),
  );
}

function schemaFacet({ value }: MaterializationRecord, columns: Columns, facets: Facets): JsonObject | undefined {
  const known = value?.schema ?? Object.keys(columns).map((name) => ({ name, type: undefined }));
  if (known.length === 0) return undefined;
  const fields = known.map(({ name, type }) =>
    present({ name, type, description: Object.hasOwn(columns, name) ? columns[name]!.description : undefined }),
  );
  return facets.facet('schema', { fields });
}

/** `alias.column` is a column of the input of that name, and so of the dataset of its upstream. */
function columnLineage(
  columns: Columns,
  definition: DeclaredAsset | undefined,
  facets: Facets,
  { namespace }: Setting,
): JsonObject | undefined {
  const upstreamOf = new Map(definition?.dependencies.map(({ alias, upstream }) => [alias, upstream]));
  const fields = Object.entries(columns).flatMap(([name, { from = [] }]) => {
    const inputFields = from.flatMap((source) => {
      const dot = source.indexOf('.');
      const upstream = upstreamOf.get(source.slice(0, dot));
      return upstream === undefined ? [] : [{ namespace, name: upstream, field: source.slice(dot + 1) }];
    });
    return inputFields.length === 0 ? [] : [[name, { inputFields }] as const];
  });
  return fields.length === 0 ? undefined : facets.facet('columnLineage', { fields: Object.fromEntries(fields) });
}

function condition(scheme: PartitionScheme | undefined, keys: readonly string[]): JsonObject {
  const names = partNames(scheme);
  const partitions = keys.slice(0, MOST_PARTITIONS).map((key) => {
    const parts = names.length > 0 ? decodeDimensions(key, names.length) : undefined;
    const dimensions = parts
      ? Object.fromEntries(names.map((name, index) => [name, parts[index]!]))
      : { partition: key };
    return { identifier: key, dimensions };
  });
  return { type: 'partition', partitions };
}

/** The window of a partition by time, or of the only dimension by time. */
function windowOf(scheme: PartitionScheme | undefined, partition: string, now: Date): PartitionWindow | undefined {
  if (!scheme) return undefined;
  const [time, key] = timeOf(scheme, partition);
  if (!time || key === undefined) return undefined;
  const set = resolvePartitions(time, { now, dynamicKeys: () => [], customKeys: () => [] });
  const ordinal = set.ordinalOf(key);
  return ordinal === -1 ? undefined : set.windowAt(ordinal);
}

function timeOf(scheme: PartitionScheme, partition: string): readonly [TimeScheme?, string?] {
  if (scheme.kind !== 'multi') return isTimeScheme(scheme) ? [scheme, partition] : [];
  const dimensions = Object.values(scheme.dimensions);
  const timed = dimensions.filter(isTimeScheme);
  const parts = decodeDimensions(partition, dimensions.length);
  return timed.length === 1 ? [timed[0]!, parts?.[dimensions.indexOf(timed[0]!)]] : [];
}
