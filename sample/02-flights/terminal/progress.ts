// Shows a run while it goes on: one line drawn over and over on a terminal, a line at every tenth elsewhere.
import { setTimeout } from 'node:timers/promises';
import type { RunProgress } from 'nestjs-flowstone';
import { seconds } from './format.js';

const BAR_WIDTH = 30;
/** Ten pictures a second are live enough; asking for more would take time from the work. */
const MS_BETWEEN_PICTURES = 100;

/** Resolves when the run has ended, however it ended, or waits for what it cannot do itself. */
export async function showProgress(progress: AsyncIterable<RunProgress>, out: NodeJS.WriteStream): Promise<void> {
  const started = performance.now();
  let tenth: number | undefined;
  for await (const { status, counts } of progress) {
    const total = counts.total;
    if (status === 'waiting') break;
    if (total === 0) continue;
    const done = total - counts.pending - counts.running - counts.waiting_approval;
    // While it is being planned the total still grows.
    const line = status === 'planning' ? `planning: ${total}` : pictureOf(done, total, counts.failed, started);
    if (out.isTTY) {
      out.write(`\r\x1b[K${line}`);
      await setTimeout(MS_BETWEEN_PICTURES);
    } else if (status !== 'planning') {
      const reached = Math.floor((done / total) * 10);
      // What was done before is no news.
      if (reached > (tenth ?? reached)) out.write(`${line}\n`);
      tenth = reached;
    }
  }
  if (out.isTTY) out.write('\r\x1b[K');
}

function pictureOf(done: number, total: number, failed: number, started: number): string {
  const filled = Math.floor((done / total) * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const percent = String(Math.floor((done / total) * 100)).padStart(3);
  const failures = failed === 0 ? '' : `  ${failed} failed`;
  return `${bar} ${percent}%  ${done} of ${total}  ${seconds(performance.now() - started)}${failures}`;
}
