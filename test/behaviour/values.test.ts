// What is recorded of values beside where they lie, and what people are shown of them.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Asset, columns, DependsOn, ExternalAsset, type FlowStoneService, type InputsOf } from '../../lib/index.js';
import { startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset({ io: 'filesystem' })
class Readings {
  async *execute(): AsyncGenerator<{ id: number; at: Date; note: string | null }> {
    for (let id = 0; id < 3; id++) yield { id, at: new Date(id), note: id === 1 ? null : 'x' };
  }
}
@Asset({ io: 'filesystem' })
class Summary {
  execute(): { total: number } {
    return { total: 3 };
  }
}
@Asset({ io: 'filesystem' })
class Wide {
  execute(): Record<string, bigint>[] {
    return [Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`c${at}`, BigInt(at)]))];
  }
}
@Asset({ io: 'filesystem' })
class Picture {
  execute(): Uint8Array {
    return Uint8Array.of(1, 2, 3);
  }
}
@Asset({ io: 'memory' })
class Kept {
  async *execute(): AsyncGenerator<{ id: number }> {
    for (let id = 0; id < 5000; id++) yield { id };
  }
}
@Asset({ external: true })
class Outside extends ExternalAsset<string> {
  override load(): string {
    return 'of its own';
  }
}
const narrowed = { wide: columns(Wide, ['c7', 'c299']) };
@Asset({ io: 'filesystem' })
@DependsOn(narrowed)
class Narrow {
  execute(_: unknown, { wide }: InputsOf<typeof narrowed>): object[] {
    return wide.map((row) => ({ ...row }));
  }
}
@Asset()
class Effect {
  execute(): void {}
}

const ASSETS = [Readings, Summary, Wide, Narrow, Picture, Kept, Outside, Effect];

describe.each(STORAGES)('what is recorded of values (%s)', (storage) => {
  let where: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    where = await testStorage(storage);
    ({ app, flowstone } = await startApp(ASSETS, where.options));
    await flowstone.reportVersion(Outside, { dataVersion: '1' });
    await (await flowstone.materialize('*')).wait();
  });
  afterEach(async () => {
    await app.close();
    await where.remove();
  });

  const valueOf = async (asset: Parameters<FlowStoneService['history']>[0]) =>
    (await flowstone.history(asset)).items[0]!.value;

  it('is format, size, rows, hash and columns', async () => {
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(await valueOf(Readings)).toEqual({
      io: 'filesystem',
      location: expect.anything(),
      size: expect.any(Number),
      rows: 3,
      hash,
      format: 'jsonl',
      schema: [
        { name: 'id', type: 'number', nullable: false },
        { name: 'at', type: 'date', nullable: false },
        { name: 'note', type: 'string', nullable: true },
      ],
    });
    expect(await valueOf(Summary)).toMatchObject({ format: 'json', rows: null, schema: null, hash });
    expect(await valueOf(Picture)).toMatchObject({ format: 'bytes', size: 3, rows: null, schema: null, hash });
  });

  it('is the first 200 of many columns', async () => {
    const { schema, rows } = (await valueOf(Wide))!;
    expect(rows).toBe(1);
    expect(schema).toHaveLength(200);
    expect(schema!.at(-1)).toEqual({ name: 'c199', type: 'bigint', nullable: false });
  });

  it('is shown with the beginning of the value', async () => {
    const { items } = await flowstone.history(Readings);
    const { id: materialization, value } = items[0]!;
    const rows = [
      { id: 0, at: '1970-01-01T00:00:00.000Z', note: 'x' },
      { id: 1, at: '1970-01-01T00:00:00.001Z', note: null },
    ];
    const shown = { kind: 'rows', rows, complete: false, materialization, value };
    expect(await flowstone.preview(Readings, { rows: 2 })).toEqual(shown);
    expect(await flowstone.preview('readings', { version: materialization })).toMatchObject({ complete: true });
    const summary = { kind: 'document', document: { total: 3 }, complete: true };
    expect(await flowstone.preview(Summary)).toMatchObject({ ...summary, value: { format: 'json' } });
    expect(await flowstone.preview(Picture)).toMatchObject({ kind: 'bytes', bytes: '010203', value: { size: 3 } });
    expect(await flowstone.preview(Kept, { rows: 2 })).toMatchObject({
      kind: 'rows',
      rows: [{ id: 0 }, { id: 1 }],
      complete: false,
    });
    expect(await flowstone.preview(Outside)).toMatchObject({ kind: 'text', text: 'of its own', value: null });
  });

  it('is shown only where there is a value', async () => {
    await expect(flowstone.preview(Effect)).rejects.toMatchObject({ code: 'FLOWSTONE_INPUT_WITHOUT_VALUE' });
    await expect(flowstone.preview(Summary, { version: 1e9 })).rejects.toMatchObject({
      code: 'FLOWSTONE_VALUE_MISSING',
    });
    const [record] = (await flowstone.history(Summary)).items;
    await flowstone.delete(Summary);
    await expect(flowstone.preview(Summary)).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
    const kept = flowstone.preview(Summary, { version: record!.id });
    await expect(kept).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VERSION_NOT_KEPT' });
    await expect(flowstone.preview(Readings, { rows: 0 })).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
  });

  it('is, of an array of rows too, only what a consumer wants', async () => {
    expect(await flowstone.load(Narrow)).toEqual([{ c7: 7n, c299: 299n }]);
  });

  it('is nothing where there is no value', async () => {
    expect(await valueOf(Effect)).toBeNull();
  });
});
