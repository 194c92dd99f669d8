// Judges OpenLineage events by the official schemas: the event, and each facet by the schema that it names.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

export type Facets = Record<string, Record<string, unknown>>;

export interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets?: Facets;
  readonly inputFacets?: Facets;
  readonly outputFacets?: Facets;
}

export interface RunEvent {
  readonly eventType: string;
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}

const FOLDER = join(import.meta.dirname, 'openlineage-spec');
// `example` and the like are annotations of theirs, which say nothing of what is valid.
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json')))
  ajv.addSchema(JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as object);

/** What is wrong with an event; nothing: it is valid, and so is each of its facets. */
export function eventProblems(event: RunEvent): string[] {
  const { run, job, inputs, outputs } = event;
  const facets = [run, job, ...inputs, ...outputs].flatMap((of) => Object.values((of as Dataset).facets ?? {}));
  const ofInputs = inputs.flatMap(({ inputFacets = {} }) => Object.values(inputFacets));
  const ofOutputs = outputs.flatMap(({ outputFacets = {} }) => Object.values(outputFacets));
  return [
    ...problems('https://openlineage.io/spec/2-0-2/OpenLineage.json', event),
    ...[...facets, ...ofInputs, ...ofOutputs].flatMap((facet) => problems(facet['_schemaURL'] as string, facet)),
  ];
}

function problems(schema: string, value: unknown): string[] {
  const validate = ajv.getSchema(schema);
  if (!validate) return [`there is no schema ${schema}`];
  return validate(value) === true
    ? []
    : (validate.errors ?? []).map((error) => `${schema}${error.instancePath}: ${error.message}`);
}
