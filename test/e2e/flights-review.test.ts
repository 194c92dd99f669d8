// What the flights sample asks a person at the terminal, and what comes of the answers. That it asks nobody where there is
// no terminal is seen in flights-run.test.ts.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import type { TestingModule } from '@nestjs/testing';
import { Asset, Checkpoint, DependsOn, type ApprovalRecord, type FlowStoneService } from '../../lib/index.js';
import { askPerson } from '../../sample/02-flights/terminal/review.js';
import { startApp } from '../behaviour/graph.js';

@Asset()
class Figure {
  execute(): number {
    return 1;
  }
}

@Checkpoint({ message: 'May 1 be reported?' })
@DependsOn({ figure: Figure })
class Review {
  onApprove(_context: unknown, { figure }: { figure: number }): number {
    return figure;
  }
}

let app: TestingModule;
let flowstone: FlowStoneService;
beforeEach(async () => {
  ({ app, flowstone } = await startApp([Figure, Review]));
});
afterEach(() => app.close());

/** Types an answer at each question; after the last the input ends, as by Ctrl-D. */
async function ask(...answers: string[]): Promise<{ decided: boolean; shown: string; approval: ApprovalRecord }> {
  const run = await flowstone.materialize(Review);
  await run.wait({ until: 'settled' });
  const [asked] = (await flowstone.approvals.list()).items;
  const [input, out] = [new PassThrough(), new PassThrough({ encoding: 'utf8' })];
  let shown = '';
  out.on('data', (chunk: string) => {
    shown += chunk;
    if (!chunk.endsWith('> ')) return;
    const answer = answers.shift();
    if (answer === undefined) input.end();
    else input.write(`${answer}\n`);
  });
  const decided = await askPerson(flowstone, input, out)(asked!);
  return { decided, shown, approval: (await flowstone.approvals.get(asked!.id)).approval };
}

it('approves, after an answer that is none', async () => {
  const { decided, shown, approval } = await ask('what?', 'Approve', 'as announced');
  expect(decided).toBe(true);
  expect(shown).toMatch(/^May 1 be reported\?\n(\[a\]pprove {2}\[r\]eject {2}\[l\]ater > ){2}reason/);
  expect(approval).toMatchObject({ status: 'approved', decision: { reason: 'as announced' } });
});

it('rejects, without a reason too', async () => {
  const { decided, approval } = await ask('r', '');
  expect(decided).toBe(true);
  expect(approval).toMatchObject({ status: 'rejected', decision: { reason: null } });
});

it.each([[['l']], [[]], [['a']]])('leaves it open after %j and the end of the input', async (answers) => {
  const { decided, approval } = await ask(...answers);
  expect(decided).toBe(false);
  expect(approval.status).toBe('open');
});
