// Conformance of ledgers that keep summaries: what is kept, and the notes of what changed since.
import { beforeEach, expect, it } from '@jest/globals';
import type { SummaryLedger } from '../../lib/ledger/summaries.port.js';
import type { WholeChunk } from '../../lib/ledger/summary.records.js';
import { error, type World } from './ledger.fixture.js';

const ACT = { actor: 'ann', reason: 'because' };

const chunkOf = (chunk: number, fill: number): WholeChunk => ({
  chunk,
  classes: [{ value: false }, { value: true, codeVersion: `"${fill}"` }],
  runs: Uint8Array.of(0, fill, 0),
  versionSums: new Uint8Array(8).fill(fill),
  inputSums: new Uint8Array(8).fill(fill + 1),
  lanes: {
    versions_0: Uint8Array.from({ length: 16 }, (_, at) => at + fill),
    versions_1: new Uint8Array(16).fill(fill + 2),
    inputs_0: new Uint8Array(16).fill(fill + 3),
    inputs_1: new Uint8Array(16).fill(fill + 4),
  },
});

export function summaryBehaviours(world: () => World): void {
  let summaries: SummaryLedger;
  const kept = async () => (await summaries.kept([{ asset: 'p', versions: true, inputs: true }]))[0];
  /** What was noted since the last call, by partition. */
  const noted = async (): Promise<string[]> => {
    const { version, layout } = (await kept())!;
    const changes = (await summaries.changes('p', version, 0, 1000))!;
    await summaries.keep('p', { version, layout, anew: false, chunks: [], notes: changes.notes });
    return changes.heads.map(({ partition }) => partition).sort();
  };
  const p = (...partitions: string[]) => partitions.map((partition) => ({ asset: 'p', partition }));

  beforeEach(() => {
    summaries = world().ledger.summaries!;
  });

  it('notes nothing of assets that it does not watch', async () => {
    await world().run(p('x'));
    await world().succeed(await world().claimOne());
    expect(await kept()).toBeUndefined();
    expect(await summaries.watch('p')).toBe(true);
    expect(await kept()).toEqual({ layout: '', version: 0, changed: 0, chunks: [] });
    expect(await noted()).toEqual([]);
  });

  it('notes what ended, in success or failure, and what could not run', async () => {
    await summaries.watch('p');
    expect(await summaries.watch('p')).toBe(true);
    await world().run([...p('x', 'y'), { asset: 'p', partition: 'z', upstreams: [1] }]);
    const [x, y] = await world().claim();
    expect(await noted()).toEqual([]);
    await world().succeed(x!);
    expect(await noted()).toEqual(['x']);
    await world().fail(y!);
    expect(await noted()).toEqual(['y', 'z']);
    await world().run([{ asset: 'p', partition: 'w', blocked: error('its upstream has no value') }]);
    expect(await noted()).toEqual(['w']);
  });

  it('notes what people do', async () => {
    await summaries.watch('p');
    const { ledger } = world();
    await ledger.reportVersion({ asset: 'p', partition: 'x', dataVersion: '1', metadata: null }, ACT);
    expect(await noted()).toEqual(['x']);
    expect(await ledger.invalidate([{ asset: 'p', partitions: 'all' }], ACT)).toBe(1);
    expect(await noted()).toEqual(['x']);
    await ledger.deleteHeads([{ asset: 'p', partitions: ['x'] }], ACT);
    expect(await noted()).toEqual(['x']);
    expect(await ledger.invalidate([{ asset: 'p', partitions: 'all' }], ACT)).toBe(0);
    expect(await noted()).toEqual([]);
  });

  it('tells of changes with heads as they are now, the oldest first, and counts them', async () => {
    await summaries.watch('p');
    const report = (partition: string, dataVersion: string) =>
      world().ledger.reportVersion({ asset: 'p', partition, dataVersion, metadata: null }, ACT);
    await report('x', '1');
    await report('y', '1');
    await report('x', '2');
    expect(await kept()).toMatchObject({ changed: 3 });
    const two = (await summaries.changes('p', 0, 0, 2))!;
    expect(two.notes).toHaveLength(2);
    const versions = two.heads.map(({ partition, dataVersion }) => `${partition} ${dataVersion}`);
    expect(versions.sort()).toEqual(['x 2', 'y 1']);
    const [third] = (await summaries.changes('p', 0, Math.max(...two.notes), 2))!.heads;
    expect(third).toMatchObject({ partition: 'x', dataVersion: '2' });
    await summaries.keep('p', { version: 0, layout: 'l', anew: false, chunks: [], notes: two.notes });
    expect(await kept()).toMatchObject({ changed: 1, layout: 'l', version: 1 });
  });

  it('keeps chunks, and gives back what is asked for', async () => {
    await summaries.watch('p');
    const chunks = [chunkOf(1, 10), chunkOf(0, 20)];
    expect(await summaries.keep('p', { version: 0, layout: 'l', anew: true, chunks, notes: [] })).toBe(true);
    const plain = (chunk: WholeChunk) => {
      const { lanes: _, ...rest } = chunk;
      return Object.fromEntries(
        Object.entries(rest).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
      );
    };
    const found = (await kept())!;
    expect(found).toMatchObject({ layout: 'l', version: 1, changed: 0 });
    expect(found.chunks.map((chunk) => plain({ ...chunk, lanes: chunks[0]!.lanes }))).toEqual([
      plain(chunks[1]!),
      plain(chunks[0]!),
    ]);
    const [few] = await summaries.kept([{ asset: 'p', versions: true, inputs: false }]);
    expect(few!.chunks[0]!.versionSums).toHaveLength(8);
    expect(few!.chunks[0]!.inputSums).toHaveLength(0);
    const range = { asset: 'p', version: 1, chunk: 0, from: 4, length: 8 };
    const parts = (await summaries.lanes([
      { ...range, lane: 'versions_0' },
      { ...range, lane: 'inputs_1' },
      { ...range, lane: 'versions_0', chunk: 1, from: 0, length: 16 },
    ]))!;
    expect(parts.map((part) => [...part])).toEqual([
      [24, 25, 26, 27, 28, 29, 30, 31],
      Array(8).fill(24),
      [...chunks[0]!.lanes.versions_0],
    ]);
  });

  it('forgets an asset with all that is kept and noted of it', async () => {
    await summaries.watch('p');
    await world().ledger.reportVersion({ asset: 'p', partition: 'x', dataVersion: '1', metadata: null }, ACT);
    await summaries.keep('p', { version: 0, layout: 'l', anew: true, chunks: [chunkOf(0, 1)], notes: [] });
    expect(await summaries.watched()).toEqual(['p']);
    await summaries.forget('p');
    expect(await summaries.watched()).toEqual([]);
    expect(await kept()).toBeUndefined();
    await summaries.watch('p');
    expect(await kept()).toEqual({ layout: '', version: 0, changed: 0, chunks: [] });
  });

  it('lets nobody write or read on who was overtaken', async () => {
    await summaries.watch('p');
    await summaries.keep('p', { version: 0, layout: 'l', anew: true, chunks: [chunkOf(0, 1)], notes: [] });
    expect(await summaries.keep('p', { version: 0, layout: 'm', anew: true, chunks: [], notes: [] })).toBe(false);
    expect(await kept()).toMatchObject({ layout: 'l', chunks: [{ chunk: 0 }] });
    const range = { asset: 'p', chunk: 0, lane: 'inputs_0', from: 0, length: 4 } as const;
    expect(await summaries.lanes([{ ...range, version: 0 }])).toBeUndefined();
    expect(await summaries.lanes([1, 0].map((version) => ({ ...range, version })))).toBeUndefined();
    expect(await summaries.changes('p', 0, 0, 10)).toBeUndefined();
    expect(await summaries.keep('p', { version: 1, layout: 'm', anew: true, chunks: [], notes: [] })).toBe(true);
    expect(await kept()).toEqual({ layout: 'm', version: 2, changed: 0, chunks: [] });
  });
}
