// The log of events on the database, read on from snapshots: whatever commits late is visible late, and is read then.
import { cursorLost } from '../event-cursors.js';
import type { EventKind } from '../event.catalogue.js';
import type { EventCursor, EventLogLedger, EventNews, EventPage } from '../event-log.port.js';
import type { EventRecord } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { eventRecord, type EventRow } from './rows.js';
import { below, isSnapshot } from './snapshot.js';
import { EVENTS_OF_TRANSACTION, EVENTS_SINCE, LOG_END, SETTLE_COPIED } from './statements/following.js';

interface Seen {
  readonly era: string;
  readonly snapshot: string;
  /** The newest transaction in the log, or removed from it. */
  readonly newest: string;
}

/** Of which only `Seen` and what stands here say anything where there are no events. */
type PageRow = (EventRow | { readonly id: null }) &
  Seen & {
    /** The transaction at which the page ends, and the first of the later ones. */
    readonly edge: string | null;
    readonly first: string | null;
    readonly ahead: boolean;
    readonly removed: boolean;
  };

export class EventLog implements EventLogLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    private readonly assets: AssetNumbers,
    readonly news?: EventNews | undefined,
  ) {}

  /** Before anything is read: the ledger may be a copy of one on another server. */
  async settleCopied(): Promise<void> {
    await this.database.rows(SETTLE_COPIED, [this.namespace]);
  }

  async cursor(): Promise<EventCursor> {
    const [row] = await this.database.rows<Seen>(LOG_END, [this.namespace]);
    return endAt(row!);
  }

  async since(cursor: EventCursor, limit: number, kinds?: readonly EventKind[]): Promise<EventPage> {
    const [era, snapshot = ''] = cursor.split(' ');
    if (!isSnapshot(snapshot)) throw cursorLost('another ledger');
    const values = [this.namespace, snapshot, limit, kinds ?? null];
    const rows = await this.database.rows<PageRow>(EVENTS_SINCE, values);
    const seen = rows[0]!;
    if (seen.era !== era) throw cursorLost('another ledger');
    if (seen.ahead) throw cursorLost('set back');
    if (seen.removed) throw cursorLost('removed');
    const events = await this.#records(rows.flatMap((row) => (row.id === null ? [] : [row])));
    if (seen.edge === null) return { events, cursor: endAt(seen), more: false };
    const edge = BigInt(seen.edge);
    if (seen.edge !== seen.first) return { events, cursor: cursorAt(era, below(seen.snapshot, edge)), more: true };
    // The first transaction alone has more rows than that, and is taken as a whole.
    const whole = await this.database.rows<EventRow>(EVENTS_OF_TRANSACTION, [this.namespace, seen.edge, kinds ?? null]);
    const all = [...events, ...(await this.#records(whole))].sort((a, b) => a.id - b.id);
    return { events: all, cursor: cursorAt(era, below(seen.snapshot, edge + 1n)), more: true };
  }

  async #records(rows: readonly EventRow[]): Promise<EventRecord[]> {
    const numbers = rows.flatMap(({ asset_id }) => (asset_id === null ? [] : [asset_id]));
    const keyOf = await this.assets.keys(this.database, numbers);
    return rows.map((row) => eventRecord(row, keyOf));
  }
}

function cursorAt(era: string, snapshot: string): EventCursor {
  return `${era} ${snapshot}`;
}

/** The first number of a transaction that is none of the system's, and not that of what was copied (SETTLE_COPIED). */
const FIRST = 4n;

/** Behind everything in the log that is seen. */
function endAt({ era, snapshot, newest }: Seen): EventCursor {
  const end = BigInt(newest) + 1n;
  return cursorAt(era, below(snapshot, end > FIRST ? end : FIRST));
}
