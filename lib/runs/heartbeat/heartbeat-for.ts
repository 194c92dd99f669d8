// Which heartbeat a process has: a thread with a connection of its own wherever that is possible.
import type { Ledger } from '../../ledger/ledger.port.js';
import type { LeaseAccess } from '../../ledger/sql/lease-ledger.js';
import type { MakeHeartbeat } from './heartbeat.port.js';
import { LoopHeartbeat } from './loop.heartbeat.js';
import { ThreadHeartbeat } from './thread.heartbeat.js';

/**
 * @param access undefined for a ledger that no other process can use, or that is reached by the ledger only
 * @param interval in ms, from one renewal to the next
 */
export function heartbeatFor(
  ledger: Pick<Ledger, 'renew'>,
  access: LeaseAccess | undefined,
  interval: number,
): MakeHeartbeat {
  if (access?.cloneable) {
    return (news) => new ThreadHeartbeat({ ledger: access.options, heartbeat: interval }, news);
  }
  const shared = {
    renew: (process: string, cutOff: boolean) => ledger.renew(process, cutOff),
    close: async () => undefined,
  };
  return (news) => new LoopHeartbeat(access?.open() ?? shared, interval, news);
}
