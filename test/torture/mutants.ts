// The mutants: each guard that durability rests on, missing. `npm run torture:mutants` tries them all.
import type { Mutant } from './mutant.js';

const SETTLING = 'lib/ledger/sql/statements/settling.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'fence-epoch',
    without: 'the epoch in the fence: a stale attempt commits',
    file: SETTLING,
    find: 'AND m.epoch = o.epoch AND',
    replace: 'AND',
  },
];
