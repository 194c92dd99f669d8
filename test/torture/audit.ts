// The torture's own records, written by triggers beside the library: each change of a materialization, of a head and of
// a run in the transaction that made it. They are only ever added to, so that nothing can be put right afterwards.
// Here they are kept; what they show is judged in verdict.ts.

/** To be run once, after the ledger's schema exists. */
export const AUDIT = `
CREATE SCHEMA torture;

CREATE TABLE torture.transitions (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid NOT NULL DEFAULT pg_current_xact_id()::xid,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  materialization bigint NOT NULL,
  head bigint NOT NULL,
  run bigint,
  was text,
  became text NOT NULL,
  epoch_was integer,
  epoch integer NOT NULL,
  holder bigint,
  beside integer,
  at_most integer,
  alike integer,
  cancelled boolean,
  overdue boolean,
  failure text,
  process text
);

CREATE FUNCTION torture.note_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held bigint; running integer; most integer; same integer; stopped boolean;
BEGIN
  IF NEW.status = 'running' THEN
    SELECT h.active_materialization INTO held FROM flowstone.heads h WHERE h.id = NEW.head_id;
    SELECT r.max_concurrency, r.cancel_requested_at IS NOT NULL INTO most, stopped
      FROM flowstone.runs r WHERE r.id = NEW.run_id;
    -- A batch counts as one.
    SELECT count(DISTINCT COALESCE(c.batch, -c.materialization_id)) INTO same FROM flowstone.claims c JOIN flowstone.materializations m ON m.id = c.materialization_id
      WHERE m.asset_id = NEW.asset_id AND m.status = 'running';
    IF most IS NOT NULL THEN
      SELECT count(DISTINCT COALESCE(c.batch, -c.materialization_id)) INTO running
      FROM flowstone.materializations m JOIN flowstone.claims c ON c.materialization_id = m.id
      WHERE m.run_id = NEW.run_id AND m.status = 'running';
    END IF;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO torture.transitions (materialization, head, run, became, epoch, holder, beside, at_most, alike,
      cancelled, process)
    VALUES (NEW.id, NEW.head_id, NEW.run_id, NEW.status, NEW.epoch, held, running, most, same, stopped, NEW.process);
  ELSE
    INSERT INTO torture.transitions (materialization, head, run, was, became, epoch_was, epoch, holder, beside, at_most,
      alike, cancelled, overdue, failure, process)
    VALUES (NEW.id, NEW.head_id, NEW.run_id, OLD.status, NEW.status, OLD.epoch, NEW.epoch, held, running, most, same, stopped,
      NEW.status = 'success' AND OLD.deadline < statement_timestamp(), NEW.error ->> 'code', NEW.process);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER torture_inserted AFTER INSERT ON flowstone.materializations
FOR EACH ROW EXECUTE FUNCTION torture.note_transition();
CREATE TRIGGER torture_updated AFTER UPDATE ON flowstone.materializations
FOR EACH ROW WHEN (OLD.status <> NEW.status OR OLD.epoch <> NEW.epoch
  OR (OLD.completed_at IS NOT NULL AND OLD.data_version IS DISTINCT FROM NEW.data_version))
EXECUTE FUNCTION torture.note_transition();

CREATE TABLE torture.head_moves (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid NOT NULL DEFAULT pg_current_xact_id()::xid,
  head bigint NOT NULL,
  was bigint,
  became bigint,
  holder_was bigint,
  holder bigint
);

CREATE FUNCTION torture.note_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO torture.head_moves (head, was, became, holder_was, holder)
  VALUES (NEW.id, OLD.materialization_id, NEW.materialization_id, OLD.active_materialization, NEW.active_materialization);
  RETURN NULL;
END $$;

CREATE TRIGGER torture_moved AFTER UPDATE ON flowstone.heads
FOR EACH ROW WHEN (OLD.materialization_id IS DISTINCT FROM NEW.materialization_id
  OR OLD.active_materialization IS DISTINCT FROM NEW.active_materialization)
EXECUTE FUNCTION torture.note_head();

CREATE TABLE torture.run_ends (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run bigint NOT NULL,
  was text,
  became text NOT NULL
);

CREATE FUNCTION torture.note_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO torture.run_ends (run, was, became) VALUES (NEW.id, OLD.status, NEW.status);
  RETURN NULL;
END $$;

CREATE TRIGGER torture_changed AFTER UPDATE ON flowstone.runs
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION torture.note_run();

CREATE TABLE torture.edges (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid NOT NULL DEFAULT pg_current_xact_id()::xid,
  downstream bigint NOT NULL,
  upstream bigint NOT NULL
);

CREATE FUNCTION torture.note_edges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO torture.edges (downstream, upstream) SELECT a.downstream, a.upstream FROM added a;
  RETURN NULL;
END $$;

CREATE TRIGGER torture_connected AFTER INSERT ON flowstone.lineage REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION torture.note_edges();

CREATE TABLE torture.timers (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner bigint NOT NULL,
  kind text NOT NULL,
  generation integer NOT NULL,
  fires_at timestamptz NOT NULL
);

CREATE FUNCTION torture.note_timer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO torture.timers (owner, kind, generation, fires_at) VALUES (NEW.owner, NEW.kind, NEW.generation, NEW.fires_at);
  RETURN NULL;
END $$;

CREATE TRIGGER torture_set AFTER INSERT ON flowstone.timers FOR EACH ROW EXECUTE FUNCTION torture.note_timer();
`;

/** To be run before the verdict: what it looks rows up by. Until then they would only cost time. */
export const INDEXES = `
CREATE INDEX ON torture.transitions (materialization, seq);
CREATE INDEX ON torture.transitions (head, seq);
CREATE INDEX ON torture.head_moves (became);
CREATE INDEX ON torture.edges (downstream);
ANALYZE;
`;
