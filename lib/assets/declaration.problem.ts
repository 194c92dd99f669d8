// Mistakes in declarations, and the one error that reports them all.
import { FlowStoneError } from '../flowstone.errors.js';

/** One mistake. */
export interface DeclarationProblem {
  /** Key of the asset, as far as it could be made out. */
  readonly asset: string;
  /** Name of the class. */
  readonly class: string;
  readonly problem: string;
  readonly fix: string;
}

/** `FLOWSTONE_DECLARATION_INVALID` with every mistake in its message and as `context.problems`. */
export function declarationError(problems: readonly DeclarationProblem[]): FlowStoneError {
  const heading =
    problems.length === 1 ? 'One asset is declared wrongly' : `${problems.length} mistakes in declared assets`;
  const lines = problems.map((mistake) => `  - ${mistake.class}: ${mistake.problem}; ${mistake.fix}.`);
  return new FlowStoneError('FLOWSTONE_DECLARATION_INVALID', `${heading}:\n${lines.join('\n')}`, {
    context: { problems },
  });
}
