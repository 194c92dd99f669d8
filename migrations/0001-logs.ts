// What attempts log: written in batches beside their transactions, removed with the run (lib/ledger/sql/logs.ts).

export const LOGS: readonly string[] = [
  // Without references: a line may come when its materialization is about to go, which takes all of them along.
  `CREATE TABLE log_lines (
    namespace integer NOT NULL,
    materialization_id bigint NOT NULL,
    epoch integer NOT NULL,
    number integer NOT NULL,
    attempt integer NOT NULL,
    at timestamptz NOT NULL,
    level text COLLATE "C" NOT NULL,
    message text NOT NULL,
    fields json,
    PRIMARY KEY (materialization_id, epoch, number)
  )`,
];
