// From options to the receiver that tells OpenLineage of attempts.
import type { ContextLogger } from '../assets/asset.context.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { NoticeReceiver } from '../outbox/receiver.port.js';
import { AttemptEvents } from './attempt.events.js';
import { FileTransport } from './file.transport.js';
import { HttpTransport } from './http.transport.js';
import type { OpenLineage } from './openlineage.options.js';
import type { Setting } from './run-event.js';

/** @param definitions of the assets as they count now */
export function openLineageReceiver(
  { to, namespace, producer }: OpenLineage,
  definitions: { find: Setting['definitionOf'] },
  ownNamespace: string,
  ledger: Ledger,
  logger: Pick<ContextLogger, 'warn'>,
): NoticeReceiver {
  const transport =
    'file' in to
      ? new FileTransport(to.file)
      : new HttpTransport(to.url, to.headers, (message) => logger.warn(message));
  return new AttemptEvents(ledger, transport, () => ({
    namespace: namespace ?? ownNamespace,
    producer,
    installation: ledger.installation,
    definitionOf: (asset) => definitions.find(asset),
  }));
}
