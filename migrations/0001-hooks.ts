// Hooks on events: where each is in the log. What it is to be told goes through the outbox.

export const HOOKS: readonly string[] = [
  // place: a cursor of lib/ledger/event-log.port.ts.
  `CREATE TABLE hooks (
    namespace integer NOT NULL REFERENCES namespaces (id),
    name text COLLATE "C" NOT NULL,
    place text NOT NULL,
    PRIMARY KEY (namespace, name)
  )`,
];
