// The log of events in memory: nothing is ever open, so that a number says what is behind a cursor.
import { cursorLost } from '../event-cursors.js';
import type { EventKind } from '../event.catalogue.js';
import type { EventCursor, EventLogLedger, EventPage } from '../event-log.port.js';
import type { MemoryState } from './memory-state.js';

export class MemoryEventLog implements EventLogLedger {
  constructor(
    private readonly state: MemoryState,
    private readonly installation: string,
  ) {}

  async cursor(): Promise<EventCursor> {
    return this.#at(this.state.lastEvent);
  }

  async since(cursor: EventCursor, limit: number, kinds?: readonly EventKind[]): Promise<EventPage> {
    const [installation, number = ''] = cursor.split(' ');
    if (installation !== this.installation || !/^\d{1,15}$/.test(number)) throw cursorLost('another ledger');
    const after = Number(number);
    if (after > this.state.lastEvent) throw cursorLost('set back');
    if (after < this.state.lastRemovedEvent) throw cursorLost('removed');
    const { events } = this.state;
    const from = this.#firstAfter(after);
    const page = events.slice(from, from + limit);
    const more = from + limit < events.length;
    return {
      events: kinds ? page.filter(({ kind }) => kinds.includes(kind)) : page,
      cursor: this.#at(more ? page.at(-1)!.id : this.state.lastEvent),
      more,
    };
  }

  #firstAfter(number: number): number {
    const { events } = this.state;
    let [low, high] = [0, events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle]!.id > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #at(number: number): EventCursor {
    return `${this.installation} ${number}`;
  }
}
