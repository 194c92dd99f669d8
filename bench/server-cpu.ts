// CPU time and WAL that a PostgreSQL server on this machine spends. The clock on the wall depends on what else the
// machine does, CPU time hardly.
import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';

interface Reading {
  /** Bytes of WAL. */
  readonly wal: number;
  /** CPU microseconds of the whole server, with processes that have ended. */
  readonly total: number;
  /** CPU microseconds by process. */
  readonly processes: ReadonlyMap<number, number>;
}

/** What the server spent in a stretch of time. */
export interface ServerCost {
  /** Bytes of WAL. */
  readonly wal: number;
  /** CPU microseconds of all its processes. */
  readonly cpu: number;
  /** CPU microseconds of the busiest process, which is a bound that more processes do not lift. */
  readonly busiest: number;
}

/** Begins to count. The returned function ends it and says what was spent; CPU is NaN for a server elsewhere. */
export async function countServer(url: string): Promise<() => Promise<ServerCost>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const before = await read(client);
  return async () => {
    const { wal, total, processes } = await read(client);
    await client.end();
    const spent = Array.from(processes, ([id, cpu]) => cpu - (before.processes.get(id) ?? 0));
    return { wal: wal - before.wal, cpu: total - before.total, busiest: Math.max(...spent) };
  };
}

async function read(client: Client): Promise<Reading> {
  const { rows } = await client.query<{ backend: number; wal: string }>(
    "SELECT pg_backend_pid() AS backend, pg_current_wal_insert_lsn() - '0/0' AS wal",
  );
  const { backend = 0, wal = '0' } = rows[0] ?? {};
  const server = (await processOf(backend))?.parent;
  const all = await Promise.all((await readdir('/proc').catch(() => [])).filter(isNumber).map(Number).map(processOf));
  const own = all.filter((found) => found?.id === server || found?.parent === server);
  const ended = own.find((found) => found?.id === server)?.endedChildren ?? Number.NaN;
  const processes = new Map(own.map((found) => [found?.id ?? 0, found?.cpu ?? 0]));
  return { wal: Number(wal), total: [...processes.values()].reduce((sum, cpu) => sum + cpu, ended), processes };
}

const isNumber = (name: string): boolean => /^\d+$/.test(name);

/** Fields as in proc(5), stat; undefined when there is no such process (any more). */
async function processOf(id: number) {
  const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => undefined);
  // The name, in brackets, may hold spaces.
  const fields = stat
    ?.slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  if (fields === undefined) return undefined;
  const time = (index: number): number => ((fields[index] ?? 0) + (fields[index + 1] ?? 0)) * tickMicroseconds();
  return { id, parent: fields[1], cpu: time(11), endedChildren: time(13) };
}

let tick: number | undefined;
function tickMicroseconds(): number {
  tick ??= 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return tick;
}
