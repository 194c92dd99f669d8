// A process dies at each named point; another one starts on the same data, and nothing is lost, twice or half done.
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CRASH_POINTS, type CrashPoint } from '../../lib/runs/crash-points.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { live } from './crash-process.js';
import { build, expectSurvival, LASTING, TIMES } from './survivor.js';

interface Death {
  /** Where the processes die, one after the other: `point` or `point:n`, its n-th passage. */
  readonly at: readonly string[];
  /** See CrashSettings. */
  readonly later?: boolean;
  readonly shutdown?: boolean;
}

/** Deaths at each point: at its first passage or amid the work, planned with the request or by the beat. */
const DEATHS: Readonly<Record<CrashPoint, readonly Death[]>> = {
  'after-request': [{ at: ['after-request'] }, { at: ['after-request'], later: true }],
  'before-plan-commit': [{ at: ['before-plan-commit'], later: true }],
  'amid-plan-commit': [{ at: ['amid-plan-commit:3'], later: true }],
  'after-plan-commit': [{ at: ['after-plan-commit'], later: true }],
  'after-claim': [{ at: ['after-claim:2'], later: true }],
  'before-execute': [{ at: ['before-execute:2'] }],
  'after-execute': [{ at: ['after-execute:5'], later: true }],
  'after-value': [{ at: ['after-value:3'] }],
  'before-commit': [{ at: ['before-commit', 'before-commit:2'] }],
  'amid-commit': [{ at: ['amid-commit', 'amid-commit:3'] }, { at: ['amid-commit:2'], later: true }],
  'after-commit': [{ at: ['after-commit', 'after-commit:2'], later: true }],
  // Those of checkpoints are passed in checkpoints.test.ts.
  'before-ask': [],
  'after-ask': [],
  // Its first passage is at the start, its second when the retry is due.
  'before-timers': [{ at: ['before-timers:2'] }],
  // The second process dies when it is about to take over what the first one held.
  'before-rescue': [{ at: ['before-execute:6', 'before-rescue'] }],
  'before-hand-back': [{ at: ['before-hand-back'], shutdown: true }],
  // Passed in cancels.test.ts.
  'amid-cancel': [],
  // Those of the collector are passed in collection.test.ts.
  'after-condemn': [],
  'after-delete': [],
  'before-run-removal': [],
  // Those of automation are passed in automation.test.ts.
  'before-automation': [],
  'after-automation': [],
  // Those of schedules are passed in schedules.test.ts.
  'before-tick': [],
  'after-tick': [],
  // Those of sensors are passed in sensors.test.ts.
  'before-sensor-commit': [],
  'after-sensor-commit': [],
  // Those of the outbox are passed in outbox.test.ts.
  'before-send': [],
  'after-send': [],
  // Those of hooks are passed in hooks.test.ts.
  'before-relay': [],
  'after-relay': [],
};

const CASES = CRASH_POINTS.flatMap((point) => DEATHS[point]).map((death): [string, Death] => [
  `${death.at.join(' and ')}${death.later ? ', planned later' : ''}`,
  death,
]);

beforeAll(build, 120_000);

describe.each(DURABLE_STORAGES)('a process that ends, its ledger on %s', (kind) => {
  let storage: TestStorage;

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each(CASES)(
    'by dying at %s, loses nothing',
    async (_name, { at, later = false, shutdown = false }) => {
      const options = { ...storage.options, ...TIMES };
      let acknowledged: number | undefined;
      for (const point of at) {
        const life = await live({ options, later, shutdown }, point);
        expect(life).toMatchObject({ end: 'SIGKILL' });
        acknowledged ??= life.acknowledged;
      }
      const { found } = await expectSurvival(options, later, acknowledged);
      // Whether or not a caller heard of it: the request was recorded before each of these points.
      expect(found).toHaveLength(1);
    },
    60_000,
  );

  it('by dying amid a batch, keeps what was yielded, and only the rest is computed again', async () => {
    const options = { ...storage.options, ...TIMES };
    const life = await live({ options, later: false, shutdown: false, amid: true }, '');
    expect(life).toMatchObject({ end: 'SIGKILL' });
    const { letters } = await expectSurvival(options, false, life.acknowledged);
    expect(letters.kept).toBeGreaterThanOrEqual(1);
    expect(letters.again).toBeGreaterThanOrEqual(2);
  }, 60_000);

  it('by closing amid its work, hands that back at once', async () => {
    const options = { ...storage.options, ...TIMES, ...LASTING };
    const life = await live({ options, later: false, shutdown: true }, '');
    expect(life).toMatchObject({ end: 0, known: [] });
    expect(await expectSurvival(options, false, life.acknowledged)).toMatchObject({ rescued: 0 });
  }, 60_000);
});
