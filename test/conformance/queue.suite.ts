// What every queue has to do, whatever carries its news: the same tests run on each.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Delivery, WorkQueue } from '../../lib/queue/queue.port.js';

/** A queue under test, with polls every 20 ms, and what only its servers know. */
export interface QueueWorld {
  /** The queue of a process; all that are made share their news, where news leaves a process. */
  queue(): WorkQueue;
  /** Resolves when no news of the pool is on its way or being worked on. */
  settled(queue: WorkQueue, pool: string): Promise<void>;
  close(): Promise<void>;
}

const POOL = 'default';
const OTHER = 'heavy: a/b@c';

/** Deliveries as they come; each lasts until it is ended. */
class Deliveries {
  readonly all: Delivery[] = [];
  readonly #ends: (() => void)[] = [];
  #told = (): void => undefined;

  readonly work = (delivery: Delivery): Promise<void> => {
    this.all.push(delivery);
    this.#told();
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  async atLeast(count: number): Promise<void> {
    while (this.all.length < count) {
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  /** Ends the oldest that has not ended. */
  end(): void {
    this.#ends.shift()?.();
  }

  /** Ends those there are and those to come. */
  endAll(): void {
    this.#ends.splice(0).forEach((end) => end());
    this.#ends.push = (end) => (end(), 0);
  }
}

export function queueSuite(create: () => Promise<QueueWorld>): void {
  let world: QueueWorld;
  let queue: WorkQueue;
  let news: Deliveries;
  let polls: number;
  let polled: () => void;

  const start = (): Promise<void> =>
    queue.start([POOL, OTHER], news.work, () => {
      polls++;
      polled();
    });

  beforeEach(async () => {
    world = await create();
    queue = world.queue();
    news = new Deliveries();
    polls = 0;
    polled = () => undefined;
  });

  afterEach(async () => {
    news.endAll();
    await queue.close();
    await world.close();
  });

  it('is closed whenever that is asked, also while it still connects', async () => {
    for (let round = 0; round < 30; round++) {
      const another = world.queue();
      await another.start([POOL, OTHER], news.work, () => undefined);
      if (round % 2 === 0) await another.health();
      await expect(another.close()).resolves.toBeUndefined();
    }
  });

  it('takes the news of ended runs whenever it comes', async () => {
    for (let run = 1; run <= 3; run++) queue.tellEnd(run);
    queue.hearEnds(() => undefined);
    await start();
    queue.tellEnd(4);
    await queue.close();
    expect(() => queue.tellEnd(5)).not.toThrow();
  });

  describe('delivering', () => {
    it('says how often the news was passed on, of several rings that of the least', async () => {
      await start();
      queue.ring(POOL, 2);
      await news.atLeast(1);
      expect(news.all).toEqual([{ pool: POOL, passed: 2 }]);
      news.endAll();
      for (const passed of [4, 1, 3]) queue.ring(POOL, passed);
      // The first may be on its way already.
      while (!news.all.some(({ passed }) => passed === 1)) await news.atLeast(news.all.length + 1);
      await world.settled(queue, POOL);
      expect(news.all.slice(1).map(({ passed }) => passed)).not.toContain(3);
    });

    it('delivers news of a pool after a ring', async () => {
      await start();
      queue.ring(OTHER);
      await news.atLeast(1);
      expect(news.all.map(({ pool }) => pool)).toEqual([OTHER]);
    });

    it('keeps a ring that comes before the start', async () => {
      queue.ring(POOL);
      await start();
      await news.atLeast(1);
      expect(news.all[0]!.pool).toBe(POOL);
    });

    it('makes few deliveries of many rings', async () => {
      await start();
      for (let ring = 0; ring < 1000; ring++) queue.ring(POOL);
      await news.atLeast(1);
      news.endAll();
      await world.settled(queue, POOL);
      expect(news.all.length).toBeLessThanOrEqual(3);
    });

    it('delivers what comes while something long runs', async () => {
      await start();
      queue.ring(POOL);
      await news.atLeast(1);
      queue.ring(POOL);
      await news.atLeast(2);
      expect(news.all.map(({ pool }) => pool)).toEqual([POOL, POOL]);
    });

    it('delivers a ring that came while it could not, once it can', async () => {
      await start();
      queue.ring(POOL);
      await news.atLeast(1);
      queue.ring(POOL);
      await news.atLeast(2);
      queue.ring(POOL);
      news.end();
      await news.atLeast(3);
      expect(news.all[2]!.pool).toBe(POOL);
    });

    it('delivers nothing to a process that only rings', async () => {
      await start();
      const ringing = world.queue();
      await ringing.start([POOL, OTHER], undefined, () => undefined);
      ringing.ring(POOL);
      queue.ring(POOL);
      await news.atLeast(1);
      expect(news.all[0]!.pool).toBe(POOL);
      await ringing.close();
    });

    it('lets pools that are busy not hold up others', async () => {
      await start();
      queue.ring(POOL);
      await news.atLeast(1);
      queue.ring(POOL);
      await news.atLeast(2);
      queue.ring(OTHER);
      await news.atLeast(3);
      expect(news.all[2]!.pool).toBe(OTHER);
    });
  });

  describe('polling', () => {
    it('asks for a look at the start and every now and then', async () => {
      const thrice = new Promise<void>((resolve) => {
        polled = () => polls === 3 && resolve();
      });
      await start();
      await thrice;
      expect(news.all).toEqual([]);
    });
  });

  describe('stopping', () => {
    it('waits for the deliveries under way', async () => {
      await start();
      queue.ring(POOL);
      await news.atLeast(1);
      const stopped = queue.stop().then(() => 'stopped');
      expect(await Promise.race([stopped, pause(50, 'waits')])).toBe('waits');
      news.endAll();
      await expect(stopped).resolves.toBe('stopped');
    });

    it('delivers and polls nothing afterwards, and rings without effect', async () => {
      await start();
      await queue.stop();
      queue.ring(POOL);
      const seen = polls;
      // Nothing can tell that something never happens: several polls' time without one.
      await pause(100);
      expect([news.all.length, polls]).toEqual([0, seen]);
    });

    it('may be asked twice, and without a start', async () => {
      await Promise.all([queue.stop(), queue.stop(), queue.close()]);
      await expect(queue.close()).resolves.toBeUndefined();
    });

    it('does not begin after it was stopped', async () => {
      await queue.stop();
      await start();
      queue.ring(POOL);
      expect([news.all.length, polls]).toEqual([0, 0]);
    });
  });

  it('is healthy, and paused by nobody', async () => {
    await start();
    expect(await queue.health()).toMatchObject({ status: 'up', problems: [] });
    expect(queue.isPaused(POOL)).toBe(false);
    expect(queue.isPaused('never heard of')).toBe(false);
  });
}
