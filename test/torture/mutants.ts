// The mutants: each guard that durability rests on, missing. `npm run torture:mutants` tries them all.
import type { Mutant } from './mutant.js';

const APPROVALS = 'lib/ledger/sql/approvals.ts';
const APPROVING = 'lib/ledger/sql/statements/approving.ts';
const BEATING = 'migrations/0001-functions/beating.ts';
const CLAIMING = 'migrations/0001-functions/claiming.ts';
const ENDING = 'migrations/0001-functions/ending.ts';
const RELEASING = 'migrations/0001-functions/releasing.ts';
const STOPPING = 'migrations/0001-functions/stopping.ts';

export const MUTANTS: readonly Mutant[] = [
  // Fence
  {
    name: 'fence-epoch',
    without: 'the epoch in the fence: a stale attempt commits',
    file: BEATING,
    find: 'AND o.id = m.id AND m.epoch = o.epoch',
    replace: 'AND o.id = m.id',
  },
  {
    name: 'fence-status',
    without: 'the status in the fence: what has ended changes again',
    file: BEATING,
    find: "AND m.status = 'running'\n        AND (o.status <> 'success'",
    replace: "AND (o.status <> 'success'",
  },
  {
    name: 'fence-deadline',
    without: 'the deadline in the fence: code that ignores its timeout commits',
    file: BEATING,
    find: "(o.status <> 'success' OR m.deadline IS NULL OR m.deadline > clock_timestamp())",
    replace: 'true',
  },
  {
    name: 'claim-epoch',
    without: 'the next epoch at a claim: two attempts hold the same',
    file: CLAIMING,
    find: "SET status = 'running', epoch = m.epoch + 1,",
    replace: "SET status = 'running', epoch = GREATEST(m.epoch, 1),",
  },
  {
    name: 'value-epoch',
    without: 'the epoch in the place of a value: a stale attempt overwrites what was committed',
    file: 'lib/io/blobs/blob-path.ts',
    find: '${materialization}-${epoch}.',
    replace: '${materialization}-1.',
  },

  // Values that join the commit
  {
    name: 'joined-fence',
    without: 'the end of a transaction whose outcome was fenced: a stale attempt leaves its rows',
    file: 'lib/ledger/sql/beats.ts',
    find: 'if (!moved) throw new NotMoved(beat);',
    replace: 'void moved;',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'joined-pin',
    without: 'the look at whose rows a table holds: a reader takes what it did not pin',
    file: 'lib/io/managers/postgres/table.statements.ts',
    find: 'AND epoch = ${next(5)}::integer) AS held) p',
    replace: 'AND epoch = ${next(5)}::integer) OR true AS held) p',
    test: 'test/integration/table-values.test.ts',
  },
  {
    name: 'joined-lease',
    without: 'the question whether an attempt still holds: in another database a stale one replaces its successor',
    file: 'lib/io/managers/postgres/postgres.io-manager.ts',
    find: 'if (isInTable(stored.location) && context.holds && !(await context.holds()))',
    replace: 'if (false)',
    test: 'test/integration/other-database.test.ts',
  },

  // Single flight
  {
    name: 'single-flight',
    without: 'the look at who holds (asset, partition): two run at once',
    file: CLAIMING,
    find: 'COALESCE(w.active, first_value(w.id) OVER (PARTITION BY w.head_id ORDER BY w.priority DESC, w.id))',
    replace: 'first_value(w.id) OVER (PARTITION BY w.head_id ORDER BY w.priority DESC, w.id)',
  },
  {
    name: 'single-flight-at-once',
    without: 'the same where what is released is taken at once',
    file: RELEASING,
    find: 'h.active_materialization IS NULL AND NOT h.waited',
    replace: 'true',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'single-flight-release',
    without: 'the end of the lock with its holder',
    file: ENDING,
    find: 'active_materialization = NULLIF(h.active_materialization, c.holder)',
    replace: 'active_materialization = h.active_materialization',
  },
  {
    name: 'waiter-note',
    without: 'the note of whom a waiter waits for',
    file: CLAIMING,
    find: 'SET waiting_for = w.holder FROM',
    replace: 'SET waiting_for = NULL FROM',
  },
  {
    name: 'waiter-release',
    without: 'the release of those who waited for a lock',
    file: RELEASING,
    find: 'UNION ALL SELECT w.id, 0 FROM materializations w WHERE w.waiting_for = ANY (p_holders)',
    replace: '',
  },

  // What follows from an end
  {
    name: 'dependents-release',
    without: 'the release of dependents',
    file: RELEASING,
    find: 'SELECT l.downstream AS id, 1 AS n FROM unnest(p_done) d (id)',
    replace: "SELECT l.downstream AS id, 1 AS n FROM unnest('{}'::bigint[]) d (id)",
  },
  {
    name: 'dependents-count',
    without: 'the count of what a dependent waits for: the first upstream releases it',
    file: RELEASING,
    find: 'blockers = m.blockers - f.n',
    replace: 'blockers = 0',
  },
  {
    name: 'doom',
    without: 'the end of what depends on a failure',
    file: ENDING,
    find: 'SELECT l.downstream FROM unnest(v_failed) f (id)',
    replace: "SELECT l.downstream FROM unnest('{}'::bigint[]) f (id)",
  },
  {
    name: 'head-move',
    without: 'the move of the head to the newest success',
    file: ENDING,
    find: 'materialization_id = COALESCE(c.success, h.materialization_id)',
    replace: 'materialization_id = COALESCE(h.materialization_id, c.success)',
  },
  {
    name: 'lineage',
    without: 'the lineage of what was consumed',
    file: BEATING,
    find: 'INSERT INTO lineage (downstream, upstream) SELECT * FROM wanted EXCEPT SELECT * FROM known',
    replace: 'INSERT INTO lineage (downstream, upstream) SELECT * FROM wanted WHERE false',
  },
  {
    name: 'run-count',
    without: 'one of the counters by which a run ends',
    file: ENDING,
    find: 'skipped = r.skipped + d.skipped',
    replace: 'skipped = r.skipped',
  },
  {
    name: 'limit-count',
    without: 'the count of places that are taken',
    file: CLAIMING,
    find: 'UPDATE limits x SET used = x.used + n.count,',
    replace: 'UPDATE limits x SET used = GREATEST(x.used, 0 * n.count),',
  },
  {
    name: 'batch-place',
    without: 'the wait for the last of a batch: its place is given back before',
    file: ENDING,
    find: 'OR EXISTS (SELECT FROM claims c WHERE c.batch = g.batch OFFSET 0)',
    replace: 'OR false',
  },

  // Cancelling
  {
    name: 'cancel-flag',
    without: 'the mark on what runs in a cancelled run: its retry begins',
    file: STOPPING,
    find: 'UPDATE materializations m SET cancel_requested = true',
    replace: 'UPDATE materializations m SET cancel_requested = false',
  },
  {
    name: 'cancel-pending',
    without: 'the end of what is pending in a cancelled run',
    file: STOPPING,
    find: 'v_moved := cancel_pending(p_run, 0);',
    replace: "v_moved := '{}';",
  },

  // Timers
  {
    name: 'retry-time',
    without: 'the time of a retry: it begins at once',
    file: STOPPING,
    find: "t.fires_at <= clock_timestamp() AND t.kind = 'retry'",
    replace: "t.kind = 'retry'",
  },
  {
    name: 'timer-end',
    without: 'the end of timers with their attempt',
    file: ENDING,
    find: 'DELETE FROM timers t WHERE t.owner = ANY (ARRAY(SELECT m.id FROM unnest(p_moved) m WHERE m.timed))',
    replace: 'DELETE FROM timers t WHERE false',
  },

  // Lost processes and lost answers
  {
    name: 'rescue',
    without: 'the rescue of what a lost process held',
    file: 'lib/ledger/sql/processes.ts',
    find: 'if (processes.length === 0) return NOTHING_TAKEN;',
    replace: 'return NOTHING_TAKEN;',
  },
  {
    name: 'hand-back',
    without: 'the return of what a process holds that leaves',
    file: 'lib/ledger/sql/processes.ts',
    find: "await sql.rows<Omit<TakenBack, 'failed'>>(HAND_BACK, [this.namespace, process])",
    replace: '[NOTHING_TAKEN]',
    // A worker seldom holds anything still when its drain is over.
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'lost-claims',
    without: 'the look for claims whose answer was lost',
    file: 'lib/ledger/sql/claims.ts',
    find: 'if (!this.#inDoubt.has(process) || this.#inFlight > 0) return undefined;',
    replace: 'if (this.#inFlight >= 0) return undefined;',
    test: 'test/integration/ledger-outages.test.ts',
  },
  {
    name: 'lost-planning',
    without: 'the return of a planning to its planner',
    file: 'lib/ledger/sql/statements/requesting.ts',
    find: 'OR r.planner = $2 OR',
    replace: 'OR',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'forsaken-planning',
    without: 'the release of a planning that its planner has lost and does not get again',
    file: 'lib/ledger/sql/statements/requesting.ts',
    find: 'AND r.planner = $2 AND r.id <> ALL (ARRAY(SELECT c.id FROM chosen c))',
    replace: 'AND false',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'poll',
    without: 'the look for work that no news was heard of',
    file: 'lib/queue/bull/bull.queue.ts',
    find: 'if (!this.#stopped) this.#poll?.();',
    replace: '',
    test: 'test/conformance/queue-bull.test.ts',
  },

  // Retention
  {
    name: 'collect-pinned',
    without: 'the wait for attempts that may have pinned what is removed',
    file: 'lib/ledger/sql/statements/collecting.ts',
    find: "WHERE m.status = 'running' AND m.epoch = x.epoch)",
    replace: 'WHERE false)',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'collect-current',
    without: 'the epoch by which an orphan is told from a value',
    file: 'lib/ledger/sql/statements/collecting.ts',
    find: 'WHERE x.epoch < m.epoch',
    replace: 'WHERE x.epoch <= m.epoch',
  },

  // Approvals
  {
    name: 'decision-lock',
    without: 'the lock under which an approval is decided: two decisions win',
    file: APPROVING,
    find: 'WHERE a.id = $2 AND a.namespace = $1)) FOR UPDATE',
    replace: 'WHERE a.id = $2 AND a.namespace = $1))',
    test: 'test/integration/approval-contention.test.ts',
  },
  {
    name: 'decision-inputs',
    without: 'the look at the inputs before a decision: it is about data that nobody saw',
    file: APPROVALS,
    find: 'const moved = judged &&',
    replace: 'const moved = judged && judged !== approval.rule.pinInputs &&',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'asking-fence',
    without: 'the fence of an attempt that asks: people are asked for one that is lost',
    file: APPROVALS,
    find: "if (row?.status !== 'running' || row.epoch !== epoch) return { kind: 'fenced' };",
    replace: "if (row?.status !== 'running') return { kind: 'fenced' };",
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'watched-inputs',
    without: 'the note that an input has moved of which people are asked',
    file: 'migrations/0001-approvals.ts',
    find: 'WHERE i.asset_id = OLD.asset_id AND i.partition = OLD.partition AND i.watched OFFSET 0',
    replace: 'WHERE false OFFSET 0',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'absent-inputs',
    without: 'the wait for an input that had no version when people were asked',
    file: APPROVALS,
    find: 'if (absent.length > 0) await sql.rows(AWAIT_HEADS, places);',
    replace: 'void places;',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
  {
    name: 'cancel-asked',
    without: 'the end of approvals with their materialization',
    file: STOPPING,
    find: 'IF v_asked IS NOT NULL THEN PERFORM cancel_approvals(v_asked); END IF;',
    replace: '',
  },
  {
    name: 'collect-decided',
    without: 'the wait for decisions that are not carried out with what they are about',
    file: 'lib/ledger/sql/statements/collecting.ts',
    find: 'WHERE a.pinning AND ${APPROVAL_HOLDS})',
    replace: 'WHERE false)',
    test: 'test/conformance/ledger-postgres.test.ts',
  },

  // Promises
  {
    name: 'run-key',
    without: 'the run key: a request that is repeated runs again',
    file: 'lib/runs/requester.ts',
    find: 'runKey: options.runKey ?? null',
    replace: 'runKey: null',
  },
  {
    name: 'left-open',
    without: 'the end of a transaction that a host left open: what is done in it is answered, and lost',
    file: 'lib/ledger/sql/database.ts',
    find: 'await this.#leaveTransaction(client);',
    replace: '',
  },
  {
    name: 'lost-commit',
    without: 'the look whether a commit that lost its answer was made',
    file: 'lib/ledger/sql/beats.ts',
    find: 'const done = same &&',
    replace: 'const done = !same &&',
    test: 'test/integration/ledger-outages.test.ts',
  },
  {
    name: 'planning-epoch',
    without: 'the epoch of a planning: a lost planner commits its plan',
    file: 'lib/ledger/sql/statements/requesting.ts',
    find: ' AND r.planning_epoch = $3',
    replace: '',
    test: 'test/conformance/ledger-postgres.test.ts',
  },
];
