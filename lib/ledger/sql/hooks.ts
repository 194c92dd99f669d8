// Hooks on the database: where each is in the log of events, and what it is to be told.
import type { EventCursor, EventLogLedger } from '../event-log.port.js';
import type { HookFailure, HookLedger, HookNotices } from '../hooks.port.js';
import type { EventKind } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { BEGIN_HOOKS, HOOK_PLACES, MOVE_HOOKS, TELL_OF_HOOK } from './statements/hooking.js';
import { json, storable } from './values.js';

export class Hooks implements HookLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    private readonly assets: AssetNumbers,
    private readonly log: Pick<EventLogLedger, 'cursor'>,
  ) {}

  async places(hooks: readonly string[]): Promise<ReadonlyMap<string, EventCursor>> {
    type Row = { readonly name: string; readonly place: string };
    const read = (): Promise<Row[]> => this.database.rows<Row>(HOOK_PLACES, [this.namespace, hooks]);
    let rows = await read();
    if (rows.length < hooks.length) {
      await this.database.rows(BEGIN_HOOKS, [this.namespace, hooks, await this.log.cursor()]);
      rows = await read();
    }
    return new Map(rows.map(({ name, place }) => [name, place]));
  }

  async move(from: EventCursor, to: EventCursor, notices: readonly HookNotices[]): Promise<readonly string[]> {
    const posted = notices.flatMap(({ hook, topic, payloads }) =>
      payloads.map((payload): [string, string, string] => [hook, topic, json(payload)]),
    );
    const rows = await this.database.rows<{ name: string }>(MOVE_HOOKS, [
      this.namespace,
      notices.map(({ hook }) => hook),
      from,
      to,
      ...[0, 1, 2].map((column) => posted.map((row) => row[column])),
    ]);
    return rows.map(({ name }) => name);
  }

  async missed(hook: string, reason: string): Promise<void> {
    await this.#tell('hook.missed', [null, null, null], { hook, reason });
  }

  async failed({ hook, attempts, error, event }: HookFailure): Promise<void> {
    const { id, kind, run, asset, partition } = event;
    const [number = null] = asset === null ? [] : await this.assets.known(this.database, [asset]);
    const detail = { hook, event: id, kind, attempts, error: storable(error) };
    await this.#tell('hook.failed', [run, number, partition], detail);
  }

  async #tell(kind: EventKind, about: readonly unknown[], detail: object): Promise<void> {
    await this.database.rows(TELL_OF_HOOK, [this.namespace, kind, ...about, json(detail)]);
  }
}
