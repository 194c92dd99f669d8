// What is made of a hook's answers, as of a receiver of the outbox.
import { describe, expect, it } from '@jest/globals';
import type { FlowStoneEvent } from '../../../lib/events/event.js';
import type { Hook } from '../../../lib/events/hook.js';
import { hookReceivers, noticeOf } from '../../../lib/events/hook.receivers.js';
import type { HookFailure } from '../../../lib/ledger/hooks.port.js';

const NOBODY = { materialization: null, asset: null, partition: null, actor: null };
const ENDED: FlowStoneEvent<'run.ended'> = {
  ...NOBODY,
  ...{ id: 7, at: new Date(0), kind: 'run.ended', run: 3, detail: { status: 'failed' } },
};
const HOOK_FAILED: FlowStoneEvent<'hook.failed'> = {
  ...NOBODY,
  ...{ id: 8, at: new Date(0), kind: 'hook.failed', run: null },
  detail: { hook: 'x', event: 7, kind: 'run.ended', attempts: 1, error: 'no' },
};

/** @param attempts null: it says nothing of them */
function receiverOf(call: Hook['call'], attempts: number | null = 3) {
  const failures: HookFailure[] = [];
  const hook: Hook = { name: 'h', events: ['run.ended'], assets: undefined, attempts: attempts ?? undefined, call };
  const [receiver] = hookReceivers([hook], () => ({ failed: async (failure) => void failures.push(failure) }));
  const send = (event: FlowStoneEvent, attempt = 1) =>
    receiver!.send(
      { id: 'here-1', payload: JSON.parse(JSON.stringify(noticeOf(event))) as never, attempt, createdAt: new Date() },
      new AbortController().signal,
    );
  return { receiver: receiver!, failures, send };
}

const failing = (error: Error) => async (): Promise<void> => {
  throw error;
};

describe('a hook as a receiver', () => {
  it('has a topic of its own, and gets the event as it was', async () => {
    const calls: unknown[] = [];
    const { receiver, send } = receiverOf(async (event, { id, attempt }) => void calls.push([event, id, attempt]));
    expect(receiver).toMatchObject({ topic: 'hook h', name: 'h' });
    await send(ENDED, 2);
    expect(calls).toEqual([[ENDED, 'here-1', 2]]);
  });

  it('is given an event again until its attempts are used up, which is recorded', async () => {
    const { send, failures } = receiverOf(failing(new Error('not now')));
    await expect(send(ENDED, 2)).rejects.toThrow(/^not now$/);
    expect(failures).toEqual([]);
    await expect(send(ENDED, 3)).rejects.toMatchObject({ code: 'FLOWSTONE_HOOK_FAILED', retryable: false });
    expect(failures).toMatchObject([{ hook: 'h', attempts: 3, error: 'not now', event: { id: 7, run: 3 } }]);
  });

  it('is not given again what it says it never takes', async () => {
    const { send, failures } = receiverOf(failing(Object.assign(new Error('never'), { retryable: false })), null);
    await expect(send(ENDED)).rejects.toMatchObject({ code: 'FLOWSTONE_HOOK_FAILED' });
    expect(failures).toHaveLength(1);
  });

  it('is given it for as long as it is kept, where it says nothing of attempts', async () => {
    const { send, failures } = receiverOf(failing(new Error('not now')), null);
    await expect(send(ENDED, 1000)).rejects.toThrow(/^not now$/);
    expect(failures).toEqual([]);
  });

  it('that fails at the failure of a hook makes no further event of that', async () => {
    const { send, failures } = receiverOf(failing(new Error('no')), 1);
    await expect(send(HOOK_FAILED)).rejects.toMatchObject({ code: 'FLOWSTONE_HOOK_FAILED' });
    expect(failures).toEqual([]);
  });

  it('leaves an event of a kind that it does not know to a version that does', async () => {
    const { send } = receiverOf(async () => undefined);
    await expect(send({ ...ENDED, kind: 'moon.rose' as never })).rejects.toThrow('does not know');
  });
});
