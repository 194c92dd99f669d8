// Who decides: a person, a file, or whoever approves all. The session asks them, one notice after the other.
import type { Review, ValuePreview } from 'nestjs-flowstone';
import type { Article } from '../articles/article.js';

/** A notice that is to be decided upon. */
export interface Question {
  review: Review<ValuePreview>;
  /** Its text in full. */
  article: Article;
  /** Where it stands among those that are asked now, from 1. */
  number: number;
  of: number;
  /** What was wrong with the text that was given a moment ago. */
  problems: readonly string[];
}

/** `leave`: it stays open. `stop`: so do all that were not asked yet. */
export type Answer =
  | { kind: 'approve'; reason?: string }
  | { kind: 'modify'; value: Article; reason?: string }
  | { kind: 'reject'; reason: string }
  | { kind: 'leave' }
  | { kind: 'stop' };

export interface Reviewer {
  /** Whose decisions these are. */
  readonly by: string;
  answer(question: Question): Promise<Answer>;
}

/** Approves everything as it is. */
export class AutoApproval implements Reviewer {
  constructor(readonly by: string) {}

  answer(): Promise<Answer> {
    return Promise.resolve({ kind: 'approve', reason: 'approved unattended' });
  }
}
