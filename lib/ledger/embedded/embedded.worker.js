// @ts-check
// The thread that owns PGlite: it executes wire bytes, keeps house between transactions and renews the lock's sign of
// life. It understands nothing of the wire protocol but the status byte of ReadyForQuery.
// Plain JavaScript, so that Node can start this very file both from source (tests) and from the build.
import { openAsBlob, utimesSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/** @typedef {import('./embedded.engine.js').ToWorker} ToWorker */
/** @typedef {import('./embedded.engine.js').FromWorker} FromWorker */
/** @typedef {import('./embedded.engine.js').EngineSettings} EngineSettings */

const READY_FOR_QUERY = 0x5a;
const IDLE = 0x49;
const POST_AT = 64 * 1024;
const STDERR_LINES = 40;
/** Recovery after a kill replays at most about this much. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024;
const CHECKPOINT_CHECK_MS = 1_000;
const VACUUM_CHECK_MS = 15_000;
const SIGN_OF_LIFE_MS = 5_000;
/** How PGlite's WASM leaves a statement that PostgreSQL refused; any other exception has left it in ruins. */
const ORDINARY_ERROR = 100;

// PostgreSQL looks for many files that are not there, and for each of them PGlite's file system throws: no stacks for that.
Error.stackTraceLimit = 0;

/** @type {EngineSettings} */
const settings = workerData;
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

/** @param {FromWorker} message @param {ArrayBuffer[]} [transfer] */
const post = (message, transfer) => port.postMessage(message, transfer);

/** @type {string[]} */
const stderr = [];

/** @type {PGlite} */
let database;
/** Whether the session is between transactions, where maintenance may run. */
let idle = true;
let writtenSinceCheckpoint = false;
let checkpointDue = false;
let vacuumDue = false;

async function open() {
  database = await PGlite.create({
    dataDir: settings.directory ?? 'memory://',
    loadDataDir: settings.loadSnapshot === undefined ? undefined : await openAsBlob(settings.loadSnapshot),
    // A new segment costs a file; small ones keep the snapshot and a young directory small.
    initDbStartParams: ['--wal-segsize=4'],
    startParams: [
      ...PGlite.defaultStartParams,
      // 128 MB by default: half of it halves the growth of the process and costs nothing measurable.
      '-c',
      'shared_buffers=64MB',
      '-c',
      'max_wal_size=64MB',
    ],
    onStderr: (line) => {
      stderr.push(line);
      if (stderr.length > STDERR_LINES) stderr.shift();
      return true;
    },
  });
  endOnTrap();
}

/* oxlint-disable eslint/no-underscore-dangle -- the name is PGlite's */
/**
 * PGlite swallows whatever its WASM throws and calls it again, for ever once it is broken (stack or memory used up).
 * Such a thread has to end, so that the database can be opened anew.
 */
function endOnTrap() {
  const { Module } = database;
  const loopOnce = Module._PostgresMainLoopOnce;
  Module._PostgresMainLoopOnce = () => {
    try {
      loopOnce();
    } catch (error) {
      if (/** @type {{ status?: number }} */ (error).status !== ORDINARY_ERROR) {
        post({ kind: 'failed', message: String(error), stderr });
        process.exit(1);
      }
      throw error;
    }
  };
}
/* oxlint-enable eslint/no-underscore-dangle */

/**
 * Synchronous in effect: nothing is awaited before PGlite has executed the bytes, so messages never interleave.
 * Without syncToFs: writes to a directory go straight to the operating system, and memory has nothing to sync.
 * @param {Uint8Array} bytes
 */
async function execute(bytes) {
  /** @type {Uint8Array[]} */
  let collected = [];
  let size = 0;
  const flush = (/** @type {boolean} */ last) => {
    const output = new Uint8Array(size);
    let offset = 0;
    for (const part of collected) {
      output.set(part, offset);
      offset += part.length;
    }
    if (last) idle = endsIdle(output);
    collected = [];
    size = 0;
    post({ kind: 'output', bytes: output, last }, [output.buffer]);
  };
  await database.execProtocolRawStream(bytes, {
    syncToFs: false,
    onRawData: (part) => {
      collected.push(part.slice());
      size += part.length;
      if (size >= POST_AT) flush(false);
    },
  });
  flush(true);
  writtenSinceCheckpoint = true;
}

/** @param {Uint8Array} output whether it ends in a ReadyForQuery outside a transaction */
function endsIdle(output) {
  const start = output.length - 6;
  return start >= 0 && output[start] === READY_FOR_QUERY && output[start + 5] === IDLE;
}

/**
 * PGlite runs PostgreSQL in single-user mode: no checkpointer and no autovacuum, so the log would grow without end,
 * recovery would take ever longer, and tables that are updated in place would bloat.
 */
async function keepHouse() {
  if (!idle) return;
  if (checkpointDue && writtenSinceCheckpoint) {
    checkpointDue = false;
    writtenSinceCheckpoint = false;
    const { rows } = await database.query(
      `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), redo_lsn)::float8 AS bytes
         FROM pg_catalog.pg_control_checkpoint()`,
    );
    if (/** @type {{ bytes: number }} */ (rows[0]).bytes > CHECKPOINT_AFTER_BYTES) await database.exec('CHECKPOINT');
  }
  if (vacuumDue) {
    vacuumDue = false;
    await vacuumOne();
  }
}

/** Autovacuum's own thresholds; one table at a time, so that a statement waits for one table at most. */
async function vacuumOne() {
  const { rows } = await database.query(
    `SELECT pg_catalog.format('%I.%I', s.schemaname, s.relname) AS name,
            s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0) AS dead
       FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid
      WHERE s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0)
         OR s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
      ORDER BY s.n_mod_since_analyze DESC LIMIT 1`,
  );
  const table = /** @type {{ name: string, dead: boolean } | undefined} */ (rows[0]);
  if (table === undefined) return;
  // A table that cannot be vacuumed (a damaged page) still has to answer queries, which will say so.
  await database.exec(`${table.dead ? 'VACUUM (ANALYZE)' : 'ANALYZE'} ${table.name}`).then(
    () => (vacuumDue = true),
    () => (vacuumDue = false),
  );
}

function scheduleMaintenance() {
  setInterval(() => {
    checkpointDue = true;
    enqueue(keepHouse);
  }, CHECKPOINT_CHECK_MS);
  setInterval(() => {
    vacuumDue = true;
    enqueue(keepHouse);
  }, VACUUM_CHECK_MS);
}

/** @param {string} lockFile its age tells another machine, which cannot see our process, that we live */
function showLife(lockFile) {
  setInterval(() => {
    const now = new Date();
    try {
      utimesSync(lockFile, now, now);
    } catch (cause) {
      throw new Error('its lock on the directory is gone: another process has taken the directory over', { cause });
    }
  }, SIGN_OF_LIFE_MS);
}

/** Everything that touches the database goes through this chain, in order. */
let chain = Promise.resolve();

/** @param {() => Promise<void>} work */
function enqueue(work) {
  // An error here (a trap in the WASM, a lost lock) ends the thread: the owner is told by its `error` event.
  chain = chain.then(work);
}

/** @param {ToWorker} message */
async function serve(message) {
  if (message instanceof Uint8Array) {
    await execute(message);
    // A busy session is idle only between two messages: what is due is done here, not in the timer.
    if (idle && (checkpointDue || vacuumDue)) await keepHouse();
    return;
  }
  if (message.kind === 'dump') {
    await database.exec('VACUUM FREEZE');
    // What is in the log by now is in the tables, and would be most of the archive.
    await database.exec('SET wal_recycle = off; SELECT pg_catalog.pg_switch_wal(); CHECKPOINT');
    const bytes = new Uint8Array(await (await database.dumpDataDir('none')).arrayBuffer());
    post({ kind: 'dumped', bytes }, [bytes.buffer]);
    return;
  }
  if (idle && settings.directory !== undefined) await database.exec('CHECKPOINT');
  await database.close();
  post({ kind: 'closed' });
  process.exit();
}

try {
  await open();
  if (settings.lockFile !== undefined) showLife(settings.lockFile);
  scheduleMaintenance();
  port.on('message', (message) => enqueue(() => serve(message)));
  post({ kind: 'ready' });
} catch (error) {
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error), stderr });
}
