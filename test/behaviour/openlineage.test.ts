// OpenLineage events of runs of all kinds, to a file and to a server, valid by the official schemas.
import { once } from 'node:events';
import { appendFile, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  all,
  Asset,
  Checkpoint,
  DependsOn,
  Partitions,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type FlowStoneOptions,
  type InputsOf,
  type RunHandle,
} from '../../lib/index.js';
import { FileTransport } from '../../lib/openlineage/file.transport.js';
import { HttpTransport } from '../../lib/openlineage/http.transport.js';
import { readOpenLineage } from '../../lib/openlineage/openlineage.options.js';
import { startApp } from './graph.js';
import { eventProblems, type RunEvent } from './openlineage-schema.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset({
  partitions: Partitions.daily({ start: '2001-03-04', end: '2001-03-07', timeZone: 'Europe/Berlin' }),
  description: 'What was sold on a day.',
  owners: ['team:sales'],
  codeVersion: '2',
})
class Sales {
  *rows(context: AssetContext) {
    yield { day: context.partition.key, amount: 7 };
  }
  execute(context: AssetContext) {
    context.report({ columns: { amount: { description: 'In cents.' } } });
    return [...this.rows(context)];
  }
}

@Asset({
  partitions: Partitions.multi({
    day: Partitions.daily({ start: '2001-03-04', end: '2001-03-06', timeZone: 'Europe/Berlin' }),
    region: Partitions.static(['eu', 'us']),
  }),
})
class Regions {
  execute(_context: AssetContext) {
    return { a: 1 };
  }
}

const totalInputs = { sales: all(Sales) };
@Asset()
@DependsOn(totalInputs)
class Total {
  async execute(context: AssetContext, { sales }: InputsOf<typeof totalInputs>) {
    let total = 0;
    for await (const [, rows] of sales) for (const { amount } of rows) total += amount;
    context.report({ columns: { total: { from: ['sales.amount', 'nothing.known'] }, note: {} } });
    return [{ total, note: 'n' }];
  }
}

@Asset({ retry: { attempts: 2, delay: 1 } })
class Flaky {
  execute({ attempt }: AssetContext): string {
    if (attempt === 1) throw new Error('not at once');
    return 'well';
  }
}

@Asset()
class Broken {
  execute(): string {
    throw new Error('it is broken');
  }
}

const belowInputs = { broken: Broken };
@Asset()
@DependsOn(belowInputs)
class Below {
  execute(_context: AssetContext, { broken }: InputsOf<typeof belowInputs>): string {
    return broken;
  }
}

@Asset()
class Slow {
  async execute({ signal }: AssetContext): Promise<void> {
    await once(signal, 'abort');
  }
}

const checkedInputs = { flaky: Flaky };
@Checkpoint()
@DependsOn(checkedInputs)
class Checked {
  onApprove(_context: AssetContext, { flaky }: InputsOf<typeof checkedInputs>): string {
    return flaky;
  }
}

@Asset({ partitions: Partitions.static(['a', 'b', 'c']), batch: { size: 3 } })
class Letters {
  async *executeMany(context: BatchContext, items: readonly BatchItem[]): BatchResults<string> {
    for (const { partition } of items) {
      yield [partition.key, partition.key === 'b' ? context.fail('b', new Error('not this one')) : partition.key];
    }
  }
}

@Asset()
class Nothing {
  execute(): void {}
}

const ASSETS = [Sales, Regions, Total, Flaky, Broken, Below, Slow, Checked, Letters, Nothing];

const facetUrl = (schema: string): string =>
  `https://openlineage.io/spec/facets/${schema}.json#/$defs/${schema.split('/')[1]}`;

const shown = ({ eventType, job }: RunEvent): string => `${eventType} ${job.name}`;

describe.each(SAMPLED_STORAGES)('OpenLineage events, the ledger on %s', (kind) => {
  let storage: TestStorage;
  let file: string;

  beforeEach(async () => {
    storage = await testStorage(kind);
    file = join(storage.options.directory!, 'lineage', 'events.jsonl');
  });
  afterEach(() => storage.remove());

  const start = (openLineage: FlowStoneOptions['openLineage'] = { file }) =>
    startApp(ASSETS, { ...storage.options, openLineage, namespace: 'shop' });
  /** By their times, since they are not always sent in that order; what begins at the time at which another ends, first. */
  const events = async (): Promise<RunEvent[]> => {
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    const isEnd = ({ eventType }: RunEvent): number => Number(eventType !== 'START');
    return lines
      .map((line) => JSON.parse(line) as RunEvent)
      .sort((a, b) => Date.parse(a.eventTime) - Date.parse(b.eventTime) || isEnd(a) - isEnd(b));
  };

  it('tell of every attempt, and are valid by the official schemas', async () => {
    const { app, flowstone } = await start();
    await (await flowstone.materialize(Total)).wait();
    await (await flowstone.materialize(Regions, { partitions: 'all' })).wait();
    await (await flowstone.materialize(Flaky)).wait();
    await (await flowstone.materialize(Nothing)).wait();
    await (await flowstone.materialize(Below)).wait().catch(() => undefined);
    const slow = await flowstone.materialize(Slow);
    while ((await slow.view()).counts.running === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await slow.cancel();
    await slow.wait().catch(() => undefined);
    await app.close();

    const told = await events();
    expect(told.flatMap(eventProblems)).toEqual([]);
    const counted = new Map<string, number>();
    for (const event of told) counted.set(shown(event), (counted.get(shown(event)) ?? 0) + 1);
    expect(Object.fromEntries([...counted].sort())).toEqual({
      'ABORT slow': 1,
      'COMPLETE flaky': 1,
      'COMPLETE nothing': 1,
      'COMPLETE regions': 4,
      'COMPLETE sales': 3,
      'COMPLETE total': 1,
      'FAIL broken': 1,
      'FAIL flaky': 1,
      'START broken': 1,
      'START flaky': 2,
      'START nothing': 1,
      'START regions': 4,
      'START sales': 3,
      'START slow': 1,
      'START total': 1,
    });
    // Each attempt begins once and ends once. Events are not always sent in that order; their times are.
    const ofRun = new Map<string, RunEvent[]>();
    for (const event of told) ofRun.set(event.run.runId, [...(ofRun.get(event.run.runId) ?? []), event]);
    for (const ofAttempt of ofRun.values()) {
      const began = ofAttempt.filter(({ eventType }) => eventType === 'START');
      const ended = ofAttempt.filter(({ eventType }) => eventType !== 'START');
      expect([began.length, ended.length]).toEqual([1, 1]);
      expect(Date.parse(ended[0]!.eventTime)).toBeGreaterThanOrEqual(Date.parse(began[0]!.eventTime));
    }
  });

  it('say what was consumed and produced: versions, schema, columns, partitions, windows, owners', async () => {
    const { app, flowstone } = await start();
    await (await flowstone.materialize(Total)).wait();
    await (await flowstone.materialize(Regions, { partition: { day: '2001-03-05', region: 'eu' } })).wait();
    const [sold] = (await flowstone.history(Sales, { partition: '2001-03-04' })).items;
    await app.close();
    const told = await events();
    const one = (name: string, type: string, partition?: string) =>
      told.find(
        (event) =>
          shown(event) === `${type} ${name}` &&
          (partition === undefined || event.run.facets['flowstone_materialization']!['partition'] === partition),
      )!;

    const sales = one('sales', 'COMPLETE', '2001-03-04');
    expect(sales).toMatchObject({
      job: { namespace: 'shop', name: 'sales' },
      run: {
        facets: {
          nominalTime: { nominalStartTime: '2001-03-03T23:00:00.000Z', nominalEndTime: '2001-03-04T23:00:00.000Z' },
          parent: { job: { namespace: 'shop', name: 'flowstone.run' } },
          flowstone_materialization: {
            materialization: sold!.id,
            run: sold!.run,
            attempt: 1,
            codeVersion: '2',
            outcome: 'success',
          },
        },
      },
      inputs: [],
    });
    expect(sales.job.facets['documentation']).toMatchObject({ description: 'What was sold on a day.' });
    expect(sales.job.facets['ownership']).toMatchObject({ owners: [{ name: 'team:sales' }] });
    const [produced] = sales.outputs;
    expect(produced).toMatchObject({
      namespace: 'shop',
      name: 'sales',
      facets: {
        version: { datasetVersion: sold!.dataVersion },
        schema: {
          fields: [
            { name: 'day', type: 'string' },
            { name: 'amount', type: 'number', description: 'In cents.' },
          ],
        },
        dataSource: { name: kind === 'memory' ? 'memory' : 'filesystem' },
        ownership: { owners: [{ name: 'team:sales' }] },
        documentation: { description: 'What was sold on a day.' },
      },
      outputFacets: {
        outputStatistics: { rowCount: 1 },
        subset: { outputCondition: { type: 'partition', partitions: [{ identifier: '2001-03-04' }] } },
      },
    });

    const total = one('total', 'COMPLETE');
    expect(total.inputs).toMatchObject([
      {
        namespace: 'shop',
        name: 'sales',
        facets: { version: { datasetVersion: expect.stringMatching(/^[0-9a-f]{64}$/) } },
        inputFacets: {
          subset: {
            inputCondition: {
              partitions: ['2001-03-04', '2001-03-05', '2001-03-06'].map((key) => ({
                identifier: key,
                dimensions: { partition: key },
              })),
            },
          },
        },
      },
    ]);
    expect(total.outputs[0]!.facets!['columnLineage']).toMatchObject({
      fields: { total: { inputFields: [{ namespace: 'shop', name: 'sales', field: 'amount' }] } },
    });
    expect(total.run.facets['nominalTime']).toBeUndefined();
    expect(one('total', 'START')).toMatchObject({
      inputs: [{ name: 'sales' }],
      outputs: [{ namespace: 'shop', name: 'total' }],
    });
    expect(one('total', 'START').run.runId).toBe(total.run.runId);
    expect(one('sales', 'START').run.facets['parent']!['run']).toEqual(total.run.facets['parent']!['run']);

    const region = one('regions', 'COMPLETE');
    expect(region.run.facets['nominalTime']).toMatchObject({ nominalStartTime: '2001-03-04T23:00:00.000Z' });
    expect(region.outputs[0]!.outputFacets!['subset']).toMatchObject({
      outputCondition: { partitions: [{ dimensions: { day: '2001-03-05', region: 'eu' } }] },
    });
  });

  it('tell of what waits for people as one attempt, which begins once more when they have decided, or ends', async () => {
    const { app, flowstone } = await start();
    for (const decide of [
      (id: number) => flowstone.approvals.approve(id, { by: 'anna' }),
      async (_id: number, run: RunHandle) => run.cancel(),
    ]) {
      const run = await flowstone.materialize(Checked, { force: true });
      await run.wait({ until: 'settled' });
      const [asked] = (await flowstone.approvals.list()).items;
      await decide(asked!.id, run);
      await run.wait().catch(() => undefined);
    }
    await app.close();
    const told = (await events()).filter(({ job }) => job.name === 'checked');
    expect(told.flatMap(eventProblems)).toEqual([]);
    expect(told.map(({ eventType }) => eventType)).toEqual(['START', 'START', 'COMPLETE', 'START', 'ABORT']);
    const ids = told.map(({ run }) => run.runId);
    expect([new Set(ids.slice(0, 3)).size, new Set(ids.slice(3)).size, new Set(ids).size]).toEqual([1, 1, 2]);
    expect(told[2]!.inputs).toMatchObject([
      { name: 'flaky', facets: { version: { datasetVersion: expect.any(String) } } },
    ]);
  });

  it('tell of each of a batch by itself', async () => {
    const { app, flowstone } = await start();
    const run = await flowstone.materialize(Letters, { partitions: 'all' });
    await run.wait().catch(() => undefined);
    await app.close();
    const told = await events();
    expect(told.flatMap(eventProblems)).toEqual([]);
    const outcomes = told.map(({ eventType, run: { facets } }) => [
      facets['flowstone_materialization']!['partition'],
      eventType,
    ]);
    expect(outcomes.sort()).toEqual([
      ...[
        ['a', 'COMPLETE'],
        ['a', 'START'],
        ['b', 'FAIL'],
        ['b', 'START'],
        ['c', 'COMPLETE'],
        ['c', 'START'],
      ],
    ]);
  });

  it('say why an attempt failed, each its own', async () => {
    const { app, flowstone } = await start();
    await (await flowstone.materialize(Flaky)).wait();
    await (await flowstone.materialize(Broken)).wait().catch(() => undefined);
    await app.close();
    const failed = (await events()).filter(({ eventType }) => eventType === 'FAIL');
    expect(failed.map(({ job, run }) => [job.name, run.facets['errorMessage']])).toMatchObject([
      ['flaky', { message: expect.stringContaining('not at once'), stackTrace: expect.stringContaining('Error') }],
      ['broken', { message: expect.stringContaining('it is broken'), programmingLanguage: 'JavaScript' }],
    ]);
  });

  it('tell of what was found fresh as complete, without datasets', async () => {
    const { app, flowstone } = await start();
    await (await flowstone.materialize(Sales, { partition: '2001-03-04' })).wait();
    await (await flowstone.materialize(Total)).wait();
    await (await flowstone.materialize(Sales, { partition: '2001-03-04', force: true, downstream: true })).wait();
    await app.close();
    const skipped = (await events()).filter(
      ({ run }) => run.facets['flowstone_materialization']!['outcome'] === 'skipped',
    );
    expect(skipped).toMatchObject([{ eventType: 'COMPLETE', job: { name: 'total' }, inputs: [], outputs: [] }]);
    expect(skipped.flatMap(eventProblems)).toEqual([]);
  });

  it('are not written where they are off', async () => {
    const { app, flowstone } = await start(false);
    await (await flowstone.materialize(Nothing)).wait();
    await app.close();
    await expect(events()).rejects.toMatchObject({ code: 'ENOENT' });
    if (kind === 'memory') return;
    // Nor is anything kept that a later start would send.
    const later = await start();
    await later.app.close();
    await expect(events()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the official schemas', () => {
  it('refuse what lacks something, in the event and in each facet', () => {
    const facet = { _producer: 'urn:a', _schemaURL: facetUrl('1-0-1/NominalTimeRunFacet') };
    const event = {
      ...{ eventType: 'START', eventTime: '2001-03-04T00:00:00Z', producer: 'urn:a', schemaURL: 'urn:b' },
      run: { runId: '886313e1-3b8a-5372-9b90-0c9aee199e5d', facets: {} },
      ...{ job: { namespace: 'a', name: 'b', facets: {} }, inputs: [], outputs: [] },
    };
    expect(eventProblems(event)).toEqual([]);
    for (const broken of [
      { ...event, eventType: 'BEGIN' },
      { ...event, eventTime: 'today' },
      { ...event, run: { ...event.run, runId: '1' } },
      { ...event, run: { ...event.run, facets: { nominalTime: facet } } },
      { ...event, outputs: [{ namespace: 'a', name: 'b', facets: { version: { ...facet, _producer: undefined } } }] },
    ])
      expect(eventProblems(broken as unknown as RunEvent)).not.toEqual([]);
  });
});

describe('the file of OpenLineage events', () => {
  it('goes on after a line that was cut off, and begins anew where it was moved away', async () => {
    const storage = await testStorage('memory');
    try {
      const file = join(storage.options.directory!, 'events.jsonl');
      await appendFile(file, '{"cut');
      const { app, flowstone } = await startApp(ASSETS, { ...storage.options, openLineage: { file } });
      await (await flowstone.materialize(Nothing)).wait();
      await app.close();
      const [cut, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
      expect([cut, lines.map((line) => shown(JSON.parse(line) as RunEvent))]).toEqual([
        '{"cut',
        ['START nothing', 'COMPLETE nothing'],
      ]);
    } finally {
      await storage.remove();
    }
  });
});

describe('what OpenLineage events cannot be sent to', () => {
  it('is told as such, so that they are sent again', async () => {
    const storage = await testStorage('memory');
    const failed = { code: 'FLOWSTONE_OPENLINEAGE_FAILED', retryable: true };
    try {
      const noFile = new FileTransport(storage.options.directory!);
      await expect(noFile.send('1', [{}])).rejects.toMatchObject(failed);
      const nobody = new HttpTransport(new URL('http://127.0.0.1:1/'), {}, () => undefined);
      await expect(nobody.send('1', [{}], new AbortController().signal)).rejects.toMatchObject(failed);
      nobody.close();
    } finally {
      await storage.remove();
    }
  });
});

describe('a server of OpenLineage events', () => {
  const received: { event: RunEvent; url: string | undefined; authorization: string | undefined }[] = [];
  /** What it answers to the n-th event. */
  let answer: (count: number) => number;
  let count: number;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const event = JSON.parse(await text(request)) as RunEvent;
    const status = answer(++count);
    if (status === 201) received.push({ event, url: request.url, authorization: request.headers.authorization });
    response.writeHead(status).end('said');
  };
  const server = createServer((...exchange) => void take(...exchange));

  beforeEach(async () => {
    received.length = 0;
    count = 0;
    answer = () => 201;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const run = async (requests = 8): Promise<void> => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const openLineage = { url, apiKey: 'a key', namespace: 'elsewhere', producer: 'https://example.com/shop' };
    const { app, flowstone } = await startApp(ASSETS, { storage: 'memory', openLineage });
    await (await flowstone.materialize(Total)).wait();
    const expected = Date.now() + 10_000;
    while (count < requests && Date.now() < expected) await new Promise((resolve) => setTimeout(resolve, 20));
    await app.close();
  };

  it('gets each event by itself, with the key', async () => {
    await run();
    expect(received.map(({ event }) => shown(event)).sort()).toEqual([
      ...Array<string>(3).fill('COMPLETE sales'),
      'COMPLETE total',
      ...Array<string>(3).fill('START sales'),
      'START total',
    ]);
    expect(received[0]).toMatchObject({
      url: '/api/v1/lineage',
      authorization: 'Bearer a key',
      event: { producer: 'https://example.com/shop', job: { namespace: 'elsewhere' } },
    });
    expect(received.flatMap(({ event }) => eventProblems(event))).toEqual([]);
  });

  it('gets again only what it did not take', async () => {
    answer = (nth) => (nth === 1 ? 503 : 201);
    await run(9);
    expect(received).toHaveLength(8);
    expect(count).toBe(9);
  });

  it('loses what it will never take, and nothing else', async () => {
    answer = (nth) => (nth === 2 ? 422 : 201);
    await run();
    expect(received).toHaveLength(7);
    expect(count).toBe(8);
  });
});

describe('the option openLineage', () => {
  it.each([
    [true, 'false, { url'],
    [{}, 'either a url or a file'],
    [{ url: 'http://a', file: 'b' }, 'either a url or a file'],
    [{ url: 'a' }, 'an http'],
    [{ file: '' }, 'non-empty'],
    [{ file: 'a', apiKey: 'b' }, 'without headers and apiKey'],
    [{ url: 'http://a', producer: 'b' }, 'a URI'],
    [{ url: 'http://a', headers: { a: 'b\n' } }, 'of one line'],
    [{ url: 'http://a', apiKey: 'b\nc' }, 'of one line'],
    [{ uri: 'http://a' }, 'without uri'],
  ])('is refused as %j', (given, message) => {
    expect(() => readOpenLineage(given)).toThrow(message);
  });

  it('takes the address of a server, or of where it takes events', () => {
    const addressOf = (url: string) => (readOpenLineage({ url })!.to as { url: URL }).url.href;
    expect(addressOf('http://a:5000')).toBe('http://a:5000/api/v1/lineage');
    expect(addressOf('https://a/b?c=d')).toBe('https://a/b?c=d');
  });
});
