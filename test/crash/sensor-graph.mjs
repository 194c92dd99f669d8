// What the processes of the crash tests of sensors run: a sensor of numbered events, of which each is to be requested once.
import { createHmac } from 'node:crypto';
import { Asset, AssetMaterializedSensor, Partitions, Sensor, signedBy, WebhookSensor } from 'nestjs-flowstone';

export const LAST = 12;
/** Events that one evaluation sees. */
const AT_ONCE = 3;
const SECRET = 'a secret of a sender';

class Seen {
  async execute() {
    return 1;
  }
}
Asset({ partitions: Partitions.dynamic('events') })(Seen);

class Echo {
  async execute() {
    return 1;
  }
}
Asset()(Echo);

class Numbers {
  evaluate({ cursor = 0 }) {
    const events = Array.from({ length: AT_ONCE }, (_, n) => cursor + n + 1).filter((event) => event <= LAST);
    if (events.length === 0) return { skip: 'all is seen' };
    return {
      partitions: [{ scheme: 'events', add: events.map(String) }],
      // Without run keys: the cursor alone keeps it from requesting twice.
      runs: events.map((event) => ({ target: Seen, partition: String(event), tags: { event: String(event) } })),
      cursor: events.at(-1),
    };
  }
}
Sensor({ name: 'numbers', every: '100ms' })(Numbers);

export class Source {
  async execute() {
    return 1;
  }
}
Asset()(Source);

class Echoes extends AssetMaterializedSensor {
  assets = [Source];
  /** @param {{ run: number }} event */
  onMaterialized({ run }) {
    return { runs: [{ target: Echo, tags: { of: String(run) } }] };
  }
}
Sensor({ name: 'echoes', every: '200ms' })(Echoes);

class Inbox extends WebhookSensor {
  verify = signedBy({ secret: SECRET, header: 'x-signature' });
  /** @param {{ n: number }} body */
  onDelivery({ n }) {
    return { runs: [{ target: Echo, tags: { delivery: String(n) } }] };
  }
}
Sensor({ name: 'inbox' })(Inbox);

/** @param {number} n */
export function delivery(n) {
  const body = JSON.stringify({ n });
  return { body, headers: { 'x-signature': createHmac('sha256', SECRET).update(body).digest('hex') } };
}

export const ofTime = [Seen, Numbers];
export const ofSource = [Source, Echo, Echoes];
export const ofDeliveries = [Echo, Inbox];
