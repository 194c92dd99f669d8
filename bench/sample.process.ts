// The process that measures one part of one case once and tells its parent what came out.
import { loadCase } from './catalogue.js';
import type { Figures } from './bench.case.js';

/** What the parent gets. */
export interface Sample {
  readonly figures: Figures;
  /** Most resident memory, MB. */
  readonly memory: number;
}

const [name = '', part = '', directory = '', smoke = ''] = process.argv.slice(2);
const measure = (await loadCase(name)).parts[part];
if (measure === undefined) throw new Error(`The case "${name}" has no part "${part}".`);
const figures = await measure({ directory, smoke: smoke === 'true' });
const sample: Sample = { figures, memory: process.resourceUsage().maxRSS / 1024 };
// A case may leave connections or threads open; they are no business of the next sample.
process.send?.(sample, () => process.exit(0));
