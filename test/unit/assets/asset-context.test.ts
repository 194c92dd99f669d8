import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  type AssetContext,
  contextPartition,
  currentContext,
  requireContext,
  runInContext,
} from '../../../lib/assets/asset.context.js';

const contextOf = (asset: string): AssetContext => ({
  run: 1,
  asset,
  partition: contextPartition('', undefined, undefined),
  attempt: 1,
  epoch: 1,
  resources: {},
  logger: new Logger(asset),
  signal: new AbortController().signal,
  idempotencyKey: asset,
  previousVersion: undefined,
  report: () => undefined,
  log: Object.assign(() => undefined, { debug: () => undefined, warn: () => undefined, error: () => undefined }),
  progress: () => undefined,
});

describe('the current context', () => {
  it('is there in all that is awaited, and each concurrent attempt has its own', async () => {
    const seen = async () => {
      await nextTurn();
      return requireContext().asset;
    };
    const assets = await Promise.all(['a', 'b'].map((asset) => runInContext(contextOf(asset), seen)));
    expect(assets).toEqual(['a', 'b']);
  });

  it('is not there outside', () => {
    runInContext(contextOf('a'), () => undefined);
    expect(currentContext()).toBeUndefined();
    expect(() => requireContext()).toThrow(expect.objectContaining({ code: 'FLOWSTONE_CONTEXT_UNAVAILABLE' }));
  });
});

describe('the partition of a context', () => {
  it('has the window and the dimensions of its key', () => {
    const window = { start: new Date('2001-03-04Z'), end: new Date('2001-03-05Z') };
    const partition = contextPartition('2001-03-04', window, { day: '2001-03-04' });
    expect(partition).toMatchObject({ key: '2001-03-04', timed: true, dimensions: { day: '2001-03-04' } });
    expect(partition.window).toBe(window);
  });

  it('says so when a window is read that it does not have', () => {
    const partition = contextPartition('eu', undefined, undefined);
    expect(JSON.parse(JSON.stringify(partition))).toEqual({ key: 'eu', timed: false, dimensions: {} });
    expect(() => partition.window).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_CONTEXT_NO_WINDOW', message: expect.stringContaining("'eu'") }),
    );
  });
});
