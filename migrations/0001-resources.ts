// Resources: how each is in the processes that live.

export const RESOURCES: readonly string[] = [
  // asset_ids: the assets that require it there.
  `CREATE TABLE process_resources (
    namespace integer NOT NULL,
    process text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('setting_up', 'healthy', 'unhealthy')),
    message text,
    asset_ids integer[] NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (namespace, process, name),
    FOREIGN KEY (namespace, process) REFERENCES processes (namespace, id) ON DELETE CASCADE
  )`,
];
