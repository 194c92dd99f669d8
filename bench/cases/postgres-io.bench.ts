// Rows into a table by an asset, beside a bare COPY of the same rows into a table of the same shape on the same server.
import { pipeline } from 'node:stream/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Asset, FlowStoneModule, FlowStoneService, Partitions, type AssetContext } from '../../lib/index.js';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';

interface Flight {
  readonly id: number;
  readonly carrier: string;
  readonly origin: string;
  readonly tail: string;
  readonly departed: Date;
  readonly delay: number;
  readonly distance: number;
  readonly cancelled: boolean;
}

const ROWS = 300_000;
const REPETITIONS = 5;
/** Of the peer: large enough that no more helps. */
const PIECE = 128 * 1024;
const COLUMNS = {
  ...{ id: 'integer', carrier: 'text', origin: 'text', tail: 'text', departed: 'timestamptz' },
  ...{ delay: 'double precision', distance: 'integer', cancelled: 'boolean' },
};

let flights: Flight[] = [];

function makeFlights(count: number): Flight[] {
  const airports = ['OAK', 'SFO', 'BOS', 'JFK', 'ORD'];
  return Array.from({ length: count }, (_, id) => ({
    id,
    carrier: id % 3 === 0 ? 'AA' : 'B6',
    origin: airports[id % airports.length]!,
    tail: `N${(id * 7919) % 99_991}`,
    departed: new Date(978_307_200_000 + id * 977),
    delay: ((id * 31) % 7200) / 60 - 15,
    distance: (id * 131) % 4000,
    cancelled: id % 61 === 0,
  }));
}

/** Bare, but right for any text. */
function* copyText(rows: readonly Flight[], day: string): Generator<Buffer> {
  let text = '';
  for (const { id, carrier, origin, tail, departed, delay, distance, cancelled } of rows) {
    text += `${day}\t${id}\t${escaped(carrier)}\t${escaped(origin)}\t${escaped(tail)}\t${departed.toISOString()}\t${delay}\t${distance}\t${cancelled ? 't' : 'f'}\n`;
    if (text.length < PIECE) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

function escaped(text: string): string {
  return /[\\\n\r\t]/.test(text) ? text.replaceAll(/[\\\n\r\t]/g, (found) => JSON.stringify(found).slice(1, -1)) : text;
}

@Asset({
  ...{ name: 'flights', io: 'postgres', table: 'bench.flights', columns: COLUMNS, key: ['id'], partitionColumn: 'day' },
  partitions: Partitions.daily({ start: '2001-01-01', end: '2002-01-01' }),
})
class Flights {
  execute(_: AssetContext): readonly Flight[] {
    return flights;
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const bench: BenchCase = {
  title: '300,000 rows of 8 columns into a table: an asset / bare COPY',
  parts: {
    async both({ smoke }) {
      flights = makeFlights(smoke ? 10_000 : ROWS);
      const database = await freshDatabase();
      const client = new Client({ connectionString: database.url });
      await client.connect();
      @Module({ imports: [FlowStoneModule.forRoot({ storage: { url: database.url } })], providers: [Flights] })
      class BenchModule {}
      const application = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
      const flowstone = application.get(FlowStoneService);
      const materialize = async (partition: string) => (await flowstone.materialize(Flights, { partition })).wait();
      // Makes the table, of which the peer's is a copy.
      await materialize('2001-01-01');
      await client.query('CREATE TABLE peer (LIKE bench.flights INCLUDING ALL)');
      const copy = async (day: string): Promise<void> => {
        await pipeline(copyText(flights, day), client.query(copyFrom('COPY peer FROM STDIN')));
      };
      await copy('2001-01-01');

      const ours: number[] = [];
      const peer: number[] = [];
      for (let repetition = 0; repetition < (smoke ? 1 : REPETITIONS); repetition++) {
        const day = `2001-01-${String(repetition + 2).padStart(2, '0')}`;
        // What one leaves to the server must not be work that it does during the other.
        await client.query('CHECKPOINT');
        ours.push(await timed(() => materialize(day)));
        await client.query('CHECKPOINT');
        peer.push(await timed(() => copy(day)));
      }
      const { rows } = await client.query(
        `SELECT (SELECT count(*)::int FROM (TABLE bench.flights EXCEPT TABLE peer) d) AS different,
           (SELECT count(*)::int FROM bench.flights) AS ours, (SELECT count(*)::int FROM peer) AS peers`,
      );
      const [{ different, ours: written, peers } = { different: NaN, ours: 0, peers: 0 }] = rows as {
        different: number;
        ours: number;
        peers: number;
      }[];
      if (different !== 0 || written !== peers) throw new Error(`${different} rows differ, ${written} and ${peers}`);
      await application.close();
      await client.end();
      await database.drop();
      const rate = (milliseconds: number): number => Math.round((flights.length / milliseconds) * 1000);
      return { ours: rate(medianOf(ours)), peer: rate(medianOf(peer)) };
    },
  },
  measures: [{ name: 'rows', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 0.6 }],
};

export default bench;
