// Values that reviewers give: read by the class that a checkpoint declares for them, with class-validator.
import type { ValidationError } from 'class-validator';
import type { Modification, ModificationClass } from '../assets/asset.definition.js';
import type { JsonValue } from '../ledger/records.js';
import { requirePackages } from '../optional-packages.js';

/** Problems told at most. */
const MOST_PROBLEMS = 20;

/** What is wrong with a value, one sentence each; empty: it is what the class declares, and nothing else. */
export async function modificationProblems(modification: Modification, value: JsonValue): Promise<string[]> {
  const [dto, isList] = classOf(modification);
  if (isList !== Array.isArray(value)) return [isList ? 'the value must be a list' : 'the value must not be a list'];
  const { validate } = await packages();
  const items = isList ? (value as readonly JsonValue[]) : [value];
  const problems: string[] = [];
  for (const [index, item] of items.entries()) {
    if (problems.length >= MOST_PROBLEMS) break;
    const place = isList ? `[${index}]` : '';
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      problems.push(`${place === '' ? 'the value' : place} must be an object`);
      continue;
    }
    const errors = await validate((await made(dto, item)) as object, {
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
    });
    problems.push(...sentences(errors, place));
  }
  return problems.slice(0, MOST_PROBLEMS);
}

/** A value that was found to be without problems, as instances of the class. */
export async function instanceOfModification(modification: Modification, value: JsonValue): Promise<unknown> {
  const [dto] = classOf(modification);
  return made(dto, value);
}

/** Instances as plain objects, which every I/O manager stores; dates and the like stay what they are. */
export function plainModification(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainModification);
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plainModification(part)]));
}

function classOf(modification: Modification): readonly [ModificationClass, boolean] {
  return typeof modification === 'function' ? [modification, false] : [modification[0], true];
}

async function made(dto: ModificationClass, value: unknown): Promise<unknown> {
  const { plainToInstance } = await packages();
  return plainToInstance(dto, value);
}

async function packages() {
  requirePackages('modification', ['class-validator', 'class-transformer']);
  const [{ validate }, { plainToInstance }] = await Promise.all([
    import('class-validator'),
    import('class-transformer'),
  ]);
  return { validate, plainToInstance };
}

function* sentences(errors: readonly ValidationError[], place: string): Generator<string> {
  for (const { property, constraints, children } of errors) {
    const here = place === '' ? property : `${place}.${property}`;
    for (const text of Object.values(constraints ?? {})) yield `${here}: ${text}`;
    yield* sentences(children ?? [], here);
  }
}
