// Checkpoints through the public door: asking, deciding, and what comes of it, on every storage.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { IsInt, IsString, Max, Min } from 'class-validator';
import {
  Asset,
  Checkpoint,
  DependsOn,
  latest,
  optional,
  Partitions,
  type AssetContext,
  type Decision,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

interface Report {
  title: string;
  score: number;
}

class ReportDto {
  @IsString()
  title!: string;

  @IsInt()
  @Min(0)
  @Max(100)
  score!: number;
}

const world = { score: 10, seen: [] as string[] };

@Asset()
class Draft {
  execute(): Report {
    return { title: 'A report', score: world.score };
  }
}

const reviewed = { draft: Draft };
@Checkpoint({ message: 'Is this good enough?', modification: ReportDto })
@DependsOn(reviewed)
class Reviewed {
  condition(_context: AssetContext, { draft }: InputsOf<typeof reviewed>): boolean {
    return draft.score < 50;
  }
}

@Asset()
@DependsOn({ report: Reviewed })
class Published {
  execute(_context: AssetContext, { report }: { report: Report }): string {
    return `${report.title}: ${report.score}`;
  }
}

@Checkpoint({ modification: ReportDto, quorum: 2, assignees: { users: ['anna', 'bert'], roles: ['boss'] } })
@DependsOn(reviewed)
class Handled {
  message(_context: AssetContext, { draft }: InputsOf<typeof reviewed>): string {
    return `${draft.title} has ${draft.score}`;
  }
  onApprove(_context: AssetContext, { draft }: InputsOf<typeof reviewed>, { by, votes }: Decision): string {
    return `${draft.score} by ${by} of ${votes.length}`;
  }
  onModify(_context: AssetContext, _inputs: object, { value, by }: Decision<ReportDto>): string {
    return `${value instanceof ReportDto ? value.score : '?'} from ${by}`;
  }
  onReject(_context: AssetContext, _inputs: object, { reason }: Decision): string {
    return `no: ${reason}`;
  }
}

@Asset({ partitions: Partitions.static(['a', 'b']) })
class Slice {
  execute({ partition }: AssetContext): Report {
    return { title: partition.key, score: world.score };
  }
}

@Checkpoint({ partitions: 'inherit', timeout: '300ms', timeoutAction: 'reject' })
@DependsOn({ slice: Slice })
class Timely {
  onApprove(_context: AssetContext, { slice }: { slice: Report }): Report {
    return slice;
  }
}

@Checkpoint({ timeout: '200ms', timeoutAction: 'extend', extensions: 1 })
@DependsOn(reviewed)
class Extended {
  onApprove(_context: AssetContext, { draft }: InputsOf<typeof reviewed>): Report {
    return draft;
  }
}

@Asset({ partitions: Partitions.daily({ start: '2999-01-01' }) })
class Forecast {
  execute(): number {
    return 1;
  }
}

const perhaps = { forecast: latest(Forecast, { allowMissing: true }), draft: optional(Draft) };
@Checkpoint()
@DependsOn(perhaps)
class Guessed {
  onApprove(_context: AssetContext, inputs: InputsOf<typeof perhaps>): string {
    return JSON.stringify([inputs.forecast ?? 'none', inputs.draft?.score ?? 'none']);
  }
}

const CLASSES = [Draft, Reviewed, Published, Handled, Slice, Timely, Extended, Forecast, Guessed];

describe.each(STORAGES)('checkpoints on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  const start = async () => ({ app, flowstone } = await startApp(CLASSES, storage.options));

  beforeEach(async () => {
    world.score = 10;
    storage = await testStorage(kind);
    await start();
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  /** A run that waits, and its only approval. */
  const waiting = async (target: Parameters<FlowStoneService['materialize']>[0], options = {}) => {
    const run = await flowstone.materialize(target, options);
    expect((await run.wait({ until: 'settled', timeout: '20s' })).status).toBe('waiting');
    const { items } = await flowstone.approvals.list({ run: run.id });
    expect(items).toHaveLength(1);
    return { run, id: items[0]!.id };
  };

  /** The approval of the run that follows this one, once there is one. */
  const renewed = async (run: number, former: number): Promise<number> => {
    for (;;) {
      const [open] = (await flowstone.approvals.list({ run })).items;
      if (open && open.id !== former) return open.id;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it('do not ask where the condition says so, and pass their input through', async () => {
    world.score = 80;
    await (await flowstone.materialize(Published)).wait();
    expect(await flowstone.load(Published)).toBe('A report: 80');
    expect((await flowstone.approvals.list({ status: 'all' })).items).toEqual([]);
  });

  it('ask, free of their worker, and go on once approved', async () => {
    const { run, id } = await waiting(Published, { requestedBy: 'zoe' });
    expect((await run.view()).counts).toMatchObject({ waiting_approval: 1, running: 0 });
    expect(await run.waits()).toMatchObject([{ kind: 'approval', asset: 'reviewed' }]);
    const review = await flowstone.approvals.get(id);
    expect(review).toMatchObject({
      approval: { status: 'open', message: 'Is this good enough?', requestedBy: 'zoe', asset: 'reviewed' },
      inputs: [{ alias: 'draft', preview: { kind: 'document', document: { score: 10 } }, differences: null }],
      history: [{ kind: 'requested', actor: 'zoe' }],
    });
    await flowstone.approvals.comment(id, 'Let me see', { by: 'anna' });
    await flowstone.approvals.approve(id, { by: 'anna', reason: 'fine' });
    await run.wait();
    expect(await flowstone.load(Published)).toBe('A report: 10');
    const [materialization] = (await flowstone.history(Reviewed)).items;
    expect(materialization).toMatchObject({
      status: 'success',
      metadata: { approval: id, decision: 'approve', decidedBy: 'anna' },
    });
    expect((await flowstone.approvals.get(id)).history.map(({ kind: what }) => what)).toEqual([
      ...['requested', 'commented', 'approved'],
    ]);
    const { id: version } = materialization!;
    const trace = await flowstone.lineage.upstream(Published);
    expect(trace.decisions).toMatchObject([{ materialization: version, approval: id, action: 'approve', by: 'anna' }]);
    const audit = await flowstone.lineage.audit(Reviewed);
    expect(audit.approvals).toMatchObject([
      { id, status: 'approved', acts: [{ kind: 'requested', actor: 'zoe' }, {}, {}] },
    ]);
    // It is fresh: nobody is asked twice.
    await (await flowstone.materialize(Published)).wait();
    expect((await flowstone.approvals.list()).items).toEqual([]);
  });

  it('take what a reviewer gives, if it is what they declare', async () => {
    const { run, id } = await waiting(Published);
    for (const [value, problem] of [
      [{ title: 'B', score: 101 }, 'score'],
      [{ title: 'B', score: 1, other: 1 }, 'other'],
      [[{ title: 'B', score: 1 }], 'must not be a list'],
      ['B', 'must be an object'],
    ] as const) {
      await expect(flowstone.approvals.modify(id, value, { by: 'anna' })).rejects.toMatchObject({
        code: 'FLOWSTONE_APPROVAL_INVALID',
        message: expect.stringContaining(problem),
      });
    }
    expect((await flowstone.approvals.get(id)).approval.status).toBe('open');
    await flowstone.approvals.modify(id, { title: 'B', score: 60 }, { by: 'anna' });
    await run.wait();
    expect(await flowstone.load(Published)).toBe('B: 60');
    expect(await flowstone.load(Reviewed)).toEqual({ title: 'B', score: 60 });
    expect((await flowstone.approvals.get(id)).modification).toEqual([
      { path: ['title'], before: 'A report', after: 'B' },
      { path: ['score'], before: 10, after: 60 },
    ]);
  });

  if (kind !== 'memory') {
    it('wait over restarts, and are decided while nobody works', async () => {
      const { run, id } = await waiting(Published);
      await app.close();
      ({ app, flowstone } = await startApp(CLASSES, {
        ...storage.options,
        ...(kind === 'postgres' && { role: 'api' }),
      }));
      await flowstone.approvals.approve(id, { by: 'anna' });
      await app.close();
      await start();
      await flowstone.run(run.id).wait({ timeout: '20s' });
      expect(await flowstone.load(Published)).toBe('A report: 10');
    });
  }

  // What of the rest is the database's, the conformance of ledgers holds for the embedded one as well.
  if (kind === 'embedded') return;

  it('fail where they are rejected, and so does what depends on them; a retry asks again', async () => {
    const { run, id } = await waiting(Published);
    await flowstone.approvals.reject(id, { by: 'anna', reason: 'too thin' });
    await expect(run.wait()).rejects.toMatchObject({ result: { counts: { failed: 1, upstream_failed: 1 } } });
    expect((await flowstone.history(Reviewed)).items[0]!.error).toMatchObject({
      code: 'FLOWSTONE_CHECKPOINT_REJECTED',
      message: expect.stringContaining('too thin'),
      context: { by: 'anna', approval: id },
    });
    const again = await flowstone.retry(run.id);
    expect((await again.wait({ until: 'settled' })).status).toBe('waiting');
    const [next] = (await flowstone.approvals.list()).items;
    await flowstone.approvals.approve(next!.id, { by: 'bert' });
    await again.wait();
  });

  it('call their handlers, with quorum, assignees, votes and proposals', async () => {
    const { run, id } = await waiting(Handled);
    expect((await flowstone.approvals.get(id)).approval.message).toBe('A report has 10');
    await expect(flowstone.approvals.approve(id, { by: 'zoe' })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_FORBIDDEN',
    });
    expect((await flowstone.approvals.list({ for: { user: 'zoe' } })).items).toEqual([]);
    expect((await flowstone.approvals.list({ for: { user: 'zoe', roles: ['boss'] } })).items).toHaveLength(1);
    expect((await flowstone.approvals.approve(id, { by: 'anna' })).status).toBe('open');
    expect((await flowstone.approvals.approve(id, { by: 'anna' })).votes).toHaveLength(1);
    expect((await flowstone.approvals.modify(id, { title: 'C', score: 5 }, { by: 'bert' })).votes).toMatchObject([
      { by: 'bert' },
    ]);
    expect((await flowstone.approvals.approve(id, { by: 'carl', roles: ['boss'], proposal: 1 })).status).toBe(
      'modified',
    );
    await run.wait();
    expect(await flowstone.load(Handled)).toBe('5 from carl');
  });

  it('may have a value although they are rejected', async () => {
    const { run, id } = await waiting(Handled);
    await flowstone.approvals.reject(id, { by: 'anna', reason: 'never' });
    await run.wait();
    expect(await flowstone.load(Handled)).toBe('no: never');
  });

  it('act when their time is over', async () => {
    const run = await flowstone.materialize(Timely, { partition: 'a' });
    await expect(run.wait({ timeout: '20s' })).rejects.toMatchObject({ result: { counts: { failed: 1 } } });
    const [approval] = (await flowstone.approvals.list({ status: 'all', asset: Timely })).items;
    expect(approval).toMatchObject({ status: 'rejected', partition: 'a', decision: { by: null } });
  });

  it('fail where nobody has decided in all the time there was', async () => {
    const run = await flowstone.materialize(Extended);
    await expect(run.wait({ timeout: '20s' })).rejects.toMatchObject({
      result: { failures: [{ error: { code: 'FLOWSTONE_CHECKPOINT_TIMED_OUT' } }] },
    });
    const [approval] = (await flowstone.approvals.list({ status: 'timed_out' })).items;
    expect(approval).toMatchObject({ asset: 'extended', extensions: 1 });
  });

  it('ask anew where an input has changed before the decision', async () => {
    const { run, id } = await waiting(Published);
    expect((await flowstone.approvals.get(id)).inputs).toMatchObject([{ outdated: false }]);
    world.score = 20;
    await (await flowstone.materialize(Draft, { force: true })).wait();
    expect((await flowstone.approvals.get(id)).inputs).toMatchObject([{ outdated: true }]);
    const next = await renewed(run.id, id);
    await expect(flowstone.approvals.approve(id, { by: 'anna' })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_CONFLICT',
    });
    const review = await flowstone.approvals.get(next);
    expect(review).toMatchObject({ approval: { previous: id }, inputs: [{ preview: { document: { score: 20 } } }] });
    expect(review.history.map(({ kind: what }) => what)).toEqual(['requested', 'superseded', 'requested']);
    await flowstone.approvals.approve(next, { by: 'anna' });
    await run.wait();
    expect(await flowstone.load(Published)).toBe('A report: 20');
  });

  it('go on without inputs that may be missing', async () => {
    const { run, id } = await waiting(Guessed);
    await flowstone.approvals.approve(id, { by: 'anna' });
    await run.wait({ timeout: '20s' });
    expect(await flowstone.load(Guessed)).toBe('["none","none"]');
  });

  it('ask anew where an input was missing and is there now', async () => {
    const { run, id } = await waiting(Guessed);
    await (await flowstone.materialize(Draft)).wait();
    const next = await renewed(run.id, id);
    await flowstone.approvals.approve(next, { by: 'anna' });
    await run.wait({ timeout: '20s' });
    expect(await flowstone.load(Guessed)).toBe('["none",10]');
  });

  it('pass without asking where the input has changed so', async () => {
    const { run } = await waiting(Published);
    world.score = 90;
    await (await flowstone.materialize(Draft, { force: true })).wait();
    await run.wait({ timeout: '20s' });
    expect(await flowstone.load(Published)).toBe('A report: 90');
  });

  it('end with their run, when that is cancelled', async () => {
    const { run, id } = await waiting(Published);
    await run.cancel('not needed');
    await expect(run.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    await expect(flowstone.approvals.approve(id, { by: 'anna' })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_CONFLICT',
      message: expect.stringContaining('cancelled'),
    });
  });

  it('are told by ensure()', async () => {
    await expect(flowstone.ensure(Published, { timeout: '20s' })).rejects.toMatchObject({
      code: 'FLOWSTONE_WAITING_APPROVAL',
    });
  });

  it('refuse what is wrong and change nothing', async () => {
    const { id } = await waiting(Published);
    const { approvals } = flowstone;
    await expect(approvals.approve(id, {} as never)).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
    await expect(approvals.approve(id, { by: 'a\0b' })).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
    await expect(approvals.approve(id, { by: 'anna', rasons: 'x' } as never)).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
    await expect(approvals.extend(id, { by: 'anna', for: 1e300 })).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
    await expect(approvals.extend(id, { by: 'anna' })).rejects.toMatchObject({ code: 'FLOWSTONE_APPROVAL_INVALID' });
    await expect(approvals.escalate(id, { by: 'anna' })).rejects.toMatchObject({ code: 'FLOWSTONE_APPROVAL_INVALID' });
    await expect(approvals.get(4711)).rejects.toMatchObject({ code: 'FLOWSTONE_APPROVAL_UNKNOWN' });
    await expect(approvals.get('x' as never)).rejects.toMatchObject({ code: 'FLOWSTONE_APPROVAL_UNKNOWN' });
    expect((await approvals.get(id)).history).toHaveLength(1);
  });
});
