// Decisions from a JSON file: { "scream": { "decision": "modify", "value": { ... }, "reason": "..." }, "*": { ... } }.
import { readFile } from 'node:fs/promises';
import type { Article } from '../articles/article.js';
import { UsageError } from '../command-line.js';
import type { Answer, Question, Reviewer } from './reviewer.js';

const EXPECTED =
  '{ "decision": "approve" }, { "decision": "modify", "value": { "headline": "...", "body": "..." } } or ' +
  '{ "decision": "reject", "reason": "..." }';

/** Decides as a file says, by the key of a notice or by `*` for those it does not name; else they stay open. */
export class DecisionsFile implements Reviewer {
  private constructor(
    readonly by: string,
    private readonly answers: ReadonlyMap<string, Answer>,
  ) {}

  /** Throws {@link UsageError} where the file is none, or says what cannot be done. */
  static async read(path: string, by: string): Promise<DecisionsFile> {
    const text = await readFile(path, 'utf8').catch((error: Error) => {
      throw new UsageError(`The file of decisions cannot be read: ${error.message}`);
    });
    const answers = Object.entries(objectOf(text, path)).map(([article, decision]) => {
      const answer = answerOf(decision);
      if (!answer) throw new UsageError(`${path} says something else for ${article} than ${EXPECTED}`);
      return [article, answer] as const;
    });
    return new DecisionsFile(by, new Map(answers));
  }

  answer({ review, problems }: Question): Promise<Answer> {
    const { partition } = review.approval;
    if (problems.length > 0) {
      throw new UsageError(`What the file of decisions gives for ${partition} is not possible: ${problems.join('; ')}`);
    }
    return Promise.resolve(this.answers.get(partition) ?? this.answers.get('*') ?? { kind: 'leave' });
  }
}

function objectOf(text: string, path: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`);
  }
  throw new UsageError(`${path} must hold an object with a decision for each notice`);
}

function answerOf(decision: unknown): Answer | undefined {
  if (typeof decision !== 'object' || decision === null) return undefined;
  const { decision: kind, value, reason } = decision as Record<string, unknown>;
  if (reason !== undefined && typeof reason !== 'string') return undefined;
  if (kind === 'approve') return { kind, reason };
  if (kind === 'reject' && reason) return { kind, reason };
  // What the value has to be is said by the checkpoint.
  if (kind === 'modify' && value !== undefined) return { kind, value: value as Article, reason };
  return undefined;
}
