// Tables that say what of the values in a database belongs to which attempt. They stand beside the ledger's, and in any
// other database in which values are kept. What is written there stands in lib/io/managers/postgres.

export const VALUE_TABLES: readonly string[] = [
  // Whose a table is, and by what the rows of its partitions are told apart: the same for all of its slices.
  `CREATE TABLE IF NOT EXISTS value_tables (
    table_name text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    layout text COLLATE "C" NOT NULL
  )`,
  // Whose rows a slice of a table holds: those of one partition, or all. Written with them, and read with them.
  `CREATE TABLE IF NOT EXISTS value_slices (
    table_name text COLLATE "C" NOT NULL,
    partition text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    materialization_id bigint NOT NULL,
    epoch integer NOT NULL,
    PRIMARY KEY (table_name, partition)
  )`,
  // Values as jsonb, in parts where they are large.
  `CREATE TABLE IF NOT EXISTS value_documents (
    namespace text COLLATE "C" NOT NULL,
    materialization_id bigint NOT NULL,
    epoch integer NOT NULL,
    part integer NOT NULL DEFAULT 0,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    content jsonb NOT NULL,
    PRIMARY KEY (namespace, materialization_id, epoch, part)
  )`,
];
