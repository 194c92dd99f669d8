// Hooks in memory: where each is in the log of events.
import type { EventCursor } from '../event-log.port.js';
import type { HookFailure, HookLedger, HookNotices } from '../hooks.port.js';
import type { MemoryEventLog } from './memory-event-log.js';
import type { MemoryState } from './memory-state.js';

export class MemoryHooks implements HookLedger {
  readonly #places = new Map<string, EventCursor>();

  constructor(
    private readonly state: MemoryState,
    private readonly log: MemoryEventLog,
  ) {}

  async places(hooks: readonly string[]): Promise<ReadonlyMap<string, EventCursor>> {
    const end = await this.log.cursor();
    for (const hook of hooks) if (!this.#places.has(hook)) this.#places.set(hook, end);
    return new Map(hooks.map((hook) => [hook, this.#places.get(hook)!]));
  }

  async move(from: EventCursor, to: EventCursor, notices: readonly HookNotices[]): Promise<readonly string[]> {
    const moved = notices.filter(({ hook }) => this.#places.get(hook) === from);
    for (const { hook, topic, payloads } of moved) {
      this.#places.set(hook, to);
      for (const payload of payloads) this.state.outbox.post(topic, payload);
    }
    return moved.map(({ hook }) => hook).sort();
  }

  async missed(hook: string, reason: string): Promise<void> {
    this.state.tell('hook.missed', { detail: { hook, reason } });
  }

  async failed({ hook, attempts, error, event }: HookFailure): Promise<void> {
    const { id, kind, run, asset, partition } = event;
    this.state.tell('hook.failed', { run, asset, partition, detail: { hook, event: id, kind, attempts, error } });
  }
}
