// The facets of OpenLineage that FlowStone knows something for, and their official schemas.
import type { JsonObject, JsonValue } from '../ledger/records.js';

/** Versions of the schemas: those of test/behaviour/openlineage-spec. */
const SCHEMAS = {
  columnLineage: '1-2-0/ColumnLineageDatasetFacet',
  dataSource: '1-0-1/DatasourceDatasetFacet',
  datasetDocumentation: '1-1-0/DocumentationDatasetFacet',
  datasetOwnership: '1-0-1/OwnershipDatasetFacet',
  errorMessage: '1-0-1/ErrorMessageRunFacet',
  jobDocumentation: '1-1-0/DocumentationJobFacet',
  jobOwnership: '1-0-1/OwnershipJobFacet',
  jobType: '2-0-4/JobTypeJobFacet',
  nominalTime: '1-0-1/NominalTimeRunFacet',
  outputStatistics: '1-0-2/OutputStatisticsOutputDatasetFacet',
  parent: '1-2-0/ParentRunFacet',
  schema: '1-2-0/SchemaDatasetFacet',
  storage: '1-0-1/StorageDatasetFacet',
  subset: '1-0-0/BaseSubsetDatasetFacet',
  version: '1-0-1/DatasetVersionDatasetFacet',
} as const;

/** Where what has no definition of its own name stands. */
const DEFINITIONS: Partial<Record<keyof typeof SCHEMAS, { readonly input: string; readonly output: string }>> = {
  subset: { input: 'InputSubsetInputDatasetFacet', output: 'OutputSubsetOutputDatasetFacet' },
};

export type FacetName = keyof typeof SCHEMAS;

export const EVENT_SCHEMA = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';
/** Of a facet of ours, which has no official schema. */
const ANY_RUN_FACET = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet';

/** Makes facets of one producer. */
export class Facets {
  constructor(private readonly producer: string) {}

  facet(name: FacetName, content: JsonObject, side: 'input' | 'output' = 'output'): JsonObject {
    const schema = SCHEMAS[name];
    const definition = DEFINITIONS[name]?.[side] ?? schema.split('/')[1]!;
    const url = `https://openlineage.io/spec/facets/${schema}.json#/$defs/${definition}`;
    return { _producer: this.producer, _schemaURL: url, ...content };
  }

  own(content: JsonObject): JsonObject {
    return { _producer: this.producer, _schemaURL: ANY_RUN_FACET, ...content };
  }
}

/** Without what is undefined. */
export function present(all: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );
}
