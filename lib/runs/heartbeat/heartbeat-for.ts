// Which heartbeat a process has: a thread with a connection of its own wherever that is possible.
import type { AssetDefinition } from '../../assets/asset.definition.js';
import type { Ledger } from '../../ledger/ledger.port.js';
import type { LeaseAccess } from '../../ledger/sql/lease-ledger.js';
import { limitsOf } from '../timed-out.js';
import type { MakeHeartbeat } from './heartbeat.port.js';
import { LoopHeartbeat } from './loop.heartbeat.js';
import type { Pulse } from './pulse.js';
import { ThreadHeartbeat } from './thread.heartbeat.js';

/** An event loop that does not turn for so many ms is blocked; or for a third of the lease, if that is shorter. */
const BLOCKED_AFTER = 1000;

/** Times in ms. */
export interface HeartbeatParts {
  readonly ledger: Pick<Ledger, 'renew'>;
  /** Undefined for a ledger that no other process can use, or that is reached by the ledger only. */
  readonly access: LeaseAccess | undefined;
  readonly lease: number;
  readonly heartbeat: number;
  readonly pulse: Pulse;
  readonly definitions: readonly AssetDefinition[];
}

export function heartbeatFor({ ledger, access, lease, heartbeat, pulse, definitions }: HeartbeatParts): MakeHeartbeat {
  if (access?.cloneable) {
    const timed = definitions.filter(({ timeout }) => timeout !== undefined);
    const settings = {
      ledger: access.options,
      heartbeat,
      blockedAfter: Math.min(BLOCKED_AFTER, lease / 3),
      pulse: pulse.memory,
      limits: new Map(timed.map((definition) => [definition.key, limitsOf(definition)])),
    };
    return (news) => new ThreadHeartbeat(settings, news);
  }
  const shared = {
    renew: (process: string, cutOff: boolean) => ledger.renew(process, cutOff),
    close: async () => undefined,
  };
  return (news) => new LoopHeartbeat(access?.open() ?? shared, heartbeat, news);
}
