// What this process does with events, put together: whoever listens is fed, hooks are moved on, other processes are told.
import { randomUUID } from 'node:crypto';
import type { Observable } from 'rxjs';
import type { Ledger } from '../ledger/ledger.port.js';
import type { LogLine, LogPlace } from '../ledger/logs.port.js';
import type { RunSignals } from '../runs/run.signals.js';
import type { LedgerOutage } from '../runs/ledger.outage.js';
import type { NoticeReceiver } from '../outbox/receiver.port.js';
import type { EventBus } from './event.bus.js';
import { hookOfNotifier, type EventNotifier } from './event.notifier.js';
import type { Hook } from './hook.js';
import { hookReceivers } from './hook.receivers.js';
import { GuardedObservable } from './guarded.observable.js';
import { HookRelay } from './hook.relay.js';
import { EventFeed } from './event.feed.js';
import { LogFollower } from './log.follower.js';
import { Neighbours, type RunExecution } from './neighbours.js';
import { RunWatches } from './run.watch.js';

/** Where what people are to know is written. */
export interface EventLog {
  readonly outage: LedgerOutage;
  stumbled(what: string, error: unknown): void;
}

export interface HubParts {
  readonly ledger: Pick<Ledger, 'eventLog' | 'hooks' | 'logs' | 'materialization'>;
  readonly bus: EventBus;
  readonly hooks: readonly Hook[];
  readonly notify: readonly EventNotifier[];
  /** Whether it works: hooks are called where work is done. */
  readonly worker: boolean;
  readonly signals: RunSignals;
  /** Something is in the outbox. */
  readonly posted: () => void;
  /** What this process is called in the ledger, once it has entered. */
  readonly process: () => string;
  /** Between looks without news, ms. */
  readonly pollInterval: number;
  readonly log: EventLog;
}

export class EventHub {
  readonly #feed: EventFeed;

  readonly #neighbours: Neighbours;
  readonly #relay: HookRelay;
  /** Who takes what is told to hooks. */
  readonly receivers: readonly NoticeReceiver[];
  readonly #watches: RunWatches;
  readonly #followers = new Set<LogFollower>();
  #started = false;

  constructor(private readonly parts: HubParts) {
    const { ledger, bus, process, pollInterval, log } = parts;
    this.#feed = new EventFeed({
      ledger: () => ledger.eventLog,
      bus,
      poll: pollInterval,
      news: {
        outage: (error) => log.outage.noticed(error),
        missed: (error) => log.stumbled('Events may have been missed', error),
        broken: (error) => log.stumbled('Events could not be read and are read again', error),
      },
    });
    const hooks = [...parts.hooks, ...parts.notify.map(hookOfNotifier)];
    this.receivers = hookReceivers(hooks, () => ledger.hooks);
    this.#relay = new HookRelay({
      ledger: () => ledger,
      hooks: parts.worker ? hooks : [],
      poll: pollInterval,
      news: {
        posted: parts.posted,
        missed: (hook, error) => log.stumbled(`Hook ${hook} may have missed events`, error),
        outage: (error) => log.outage.noticed(error),
        broken: (error) => log.stumbled('Events could not be read for hooks and are read again', error),
      },
    });
    this.#watches = new RunWatches(bus, parts.signals);
    this.#neighbours = new Neighbours({
      name: randomUUID(),
      progressed: (executions) => this.#watches.progressed(executions),
      isExecuting: (...place) => parts.signals.isExecuting(...place),
      news: () => ledger.eventLog.news,
      isWanted: () => bus.isWanted,
      heard: () => {
        this.#feed.wake();
        this.#relay.wake();
        this.#followers.forEach((follower) => follower.wake());
      },
      failed: (error) => log.stumbled('News of events could not pass between processes', error),
    });
    bus.grew = () => {
      this.#feed.grew();
      if (this.#started) this.#neighbours.look(process());
    };
  }

  /** What is committed from here on reaches those who listen. */
  async start(): Promise<void> {
    this.#started = true;
    this.parts.bus.log = this.parts.ledger.eventLog;
    this.#neighbours.look(this.parts.process());
    await this.#relay.start();
    await this.#feed.start();
  }

  /** This process has committed something. Cheap. */
  wake(): void {
    this.#feed.wake();
    this.#relay.wake();
    this.#neighbours.tell();
  }

  /** Attempts of this process have logged something. */
  logged(): void {
    this.#followers.forEach((follower) => follower.wake());
    this.#neighbours.tell();
  }

  /** An execution of this process is so far. */
  progressed(execution: RunExecution): void {
    this.#neighbours.tellProgress(execution);
  }

  /** From now on this process hears how far a run is in others; the result ends it. */
  watch(run: number): () => void {
    return this.#watches.watch(run);
  }

  /** What the attempts of a materialization log, after a place (null: from the first line), until it has ended. */
  followLog(materialization: number, after: LogPlace | null): Observable<LogLine> {
    const { ledger, bus, log } = this.parts;
    const outage = (error: unknown): void => log.outage.noticed(error);
    return new GuardedObservable<LogLine>(
      (error) => log.stumbled('A subscriber of a log threw, and goes on', error),
      (subscriber) => {
        const follower = new LogFollower({ ledger, bus, outage }, materialization, after, subscriber);
        this.#followers.add(follower);
        return () => {
          this.#followers.delete(follower);
          follower.close();
        };
      },
    );
  }

  /** The lease was renewed, and others listen or do not. */
  renewed(listened: boolean): void {
    this.#neighbours.look(this.parts.process(), listened);
  }

  /** Once all work of this process has ended. */
  async close(): Promise<void> {
    await this.#neighbours.close();
    await this.#relay.close();
    await this.#feed.close();
    this.parts.bus.log = undefined;
  }
}
