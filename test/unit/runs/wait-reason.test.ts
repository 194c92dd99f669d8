// What a materialization waits for, in words, by what is recorded of it.
import { describe, expect, it } from '@jest/globals';
import type { WaitFacts } from '../../../lib/ledger/ledger.port.js';
import { waitReason } from '../../../lib/runs/wait.reason.js';

const now = new Date('2030-01-01T00:00:00Z');
const facts: WaitFacts = {
  asset: 'report',
  status: 'pending',
  run: { id: 3, concurrency: null, running: 2 },
  holder: null,
  upstreams: { open: 0, first: null },
  retryAt: null,
  pool: { name: 'gpu', concurrency: null, running: 2, tokenDue: null },
  key: null,
  now,
};
const full = { run: { ...facts.run, concurrency: 2 }, pool: { ...facts.pool, concurrency: 2, tokenDue: 3000 } };

describe('what a materialization waits for', () => {
  it.each<[string, Partial<WaitFacts>, object]>([
    [
      'holder',
      { ...full, holder: { id: 12, run: 2, retryAt: null } },
      { message: expect.stringContaining('materialization 12 of run 2'), materialization: 12 },
    ],
    [
      'holder',
      { holder: { id: 12, run: null, retryAt: null } },
      { message: expect.stringContaining('materialization 12, which') },
    ],
    [
      'holder',
      { holder: { id: 12, run: 2, retryAt: now } },
      { message: expect.stringContaining('tried again at 2030-01-01T00:00:00.000Z'), until: now },
    ],
    [
      'upstream',
      { ...full, upstreams: { open: 3, first: 7 } },
      { message: 'upstream materialization 7 and 2 more', materialization: 7 },
    ],
    ['upstream', { upstreams: { open: 1, first: 7 } }, { message: 'upstream materialization 7' }],
    ['retry', { ...full, retryAt: now }, { message: 'its next attempt at 2030-01-01T00:00:00.000Z', until: now }],
    ['run_concurrency', full, { message: 'run 3 (2 of 2 running)' }],
    ['pool_concurrency', { pool: full.pool }, { message: 'pool gpu (2 of 2 in use)', pool: 'gpu' }],
    [
      'pool_rate',
      { pool: { ...facts.pool, tokenDue: 3000 } },
      { message: 'the rate of pool gpu, next in 3 s', until: new Date(now.getTime() + 3000) },
    ],
    [
      'key_concurrency',
      { key: { name: 'acme', concurrency: 1, running: 1, tokenDue: null } },
      { message: 'key "acme" of pool gpu (1 of 1 in use)', key: 'acme' },
    ],
    [
      'key_rate',
      { key: { name: 'acme', concurrency: 2, running: 1, tokenDue: 1234 } },
      { message: 'the rate of key "acme" of pool gpu, next in 1.2 s', until: new Date(now.getTime() + 1234) },
    ],
    ['turn', { pool: { ...facts.pool, concurrency: 3 } }, { message: 'its turn' }],
  ])('is told: %s', (kind, differing, wait) => {
    expect(
      waitReason({ ...facts, ...differing }, { live: true, held: undefined, superseded: false, paused: false }),
    ).toMatchObject({
      kind,
      pool: 'gpu',
      ...wait,
    });
  });

  it('is a worker that declares it, then a person who paused its pool', () => {
    expect(
      waitReason({ ...facts, ...full }, { live: false, held: undefined, superseded: true, paused: true }),
    ).toMatchObject({
      kind: 'worker',
      message: 'a worker: no worker declares report',
    });
    expect(
      waitReason({ ...facts, ...full }, { live: true, held: undefined, superseded: true, paused: true }),
    ).toMatchObject({
      kind: 'paused',
      message: 'pool gpu, which is paused',
    });
  });

  it('is a resource that is healthy on no worker', () => {
    const held = { asset: 'report', resource: 'geo', state: 'unhealthy', message: 'no route', since: now } as const;
    const asked = { live: true, superseded: false, paused: true };
    expect(waitReason(facts, { ...asked, held })).toEqual({
      kind: 'resource',
      message: `resource geo, which is healthy on no worker that declares report since ${now.toISOString()}: no route`,
      pool: 'gpu',
      resource: 'geo',
    });
    expect(waitReason(facts, { ...asked, held: { ...held, state: 'setting_up', message: null } })?.message).toBe(
      'resource geo, which is being set up and ready on no worker that declares report yet',
    );
  });

  it('is another worker, where a newer definition is current than that of the worker that is asked', () => {
    const asked = { live: true, held: undefined, superseded: true, paused: false };
    expect(waitReason(facts, asked)).toMatchObject({
      kind: 'definition',
      message: 'another worker than this one: a newer definition is current of report',
    });
    // What holds it up on that one as well comes first.
    expect(waitReason({ ...facts, pool: full.pool }, asked)).toMatchObject({ kind: 'pool_concurrency' });
  });

  it('is a decision where it waits for that', () => {
    const asked = { live: false, held: undefined, superseded: true, paused: true };
    expect(waitReason({ ...facts, ...full, status: 'waiting_approval' }, asked)).toMatchObject({ kind: 'approval' });
  });

  it('is nothing where it is not pending', () => {
    for (const status of ['running', 'success', 'failed', 'cancelled'] as const) {
      expect(
        waitReason({ ...facts, ...full, status }, { live: false, held: undefined, superseded: true, paused: true }),
      ).toBeUndefined();
    }
  });
});
