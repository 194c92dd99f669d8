// What should have been computed by now: a row while it is so.

export const FRESHNESS: readonly string[] = [
  `CREATE TABLE overdue_partitions (
    asset_id integer NOT NULL REFERENCES assets (id),
    partition text COLLATE "C" NOT NULL,
    namespace integer NOT NULL,
    due timestamptz NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (asset_id, partition)
  )`,
  `CREATE INDEX overdue_partitions_due ON overdue_partitions (namespace, due)`,
];
