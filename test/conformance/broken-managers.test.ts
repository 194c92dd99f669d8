// The suite of I/O managers finds what is wrong with them: each of these is sound but for one thing.
import { describe, expect, it } from '@jest/globals';
import { FlowStoneError, isRowStream, rowsOf, type LoadContext, type StoreContext } from 'nestjs-flowstone';
import { runIoConformance, type IoConformanceSubject } from 'nestjs-flowstone/testing';
import { ShelfIoManager, UnreachableShelf, type Row } from './shelf.io-manager.js';

/** Names of the checks that fail, of all or of those that begin like that. */
async function failuresOf(subject: Partial<IoConformanceSubject> & Pick<IoConformanceSubject, 'create'>, only = '') {
  const checks: [name: string, body: () => Promise<void>][] = [];
  const framework = {
    describe: (_: string, body: () => void) => body(),
    it: (...check: (typeof checks)[number]) => void checks.push(check),
  };
  runIoConformance(framework, { name: 'some', inMemory: true, createBroken: () => new UnreachableShelf(), ...subject });
  const failed: string[] = [];
  for (const [name, body] of checks) if (name.startsWith(only)) await body().catch(() => failed.push(name));
  return { checks: checks.length, failed };
}

type Shelf = new (versions?: 'kept' | 'head') => ShelfIoManager;
/** One whose `load` is another one. */
const loading = (
  load: (context: LoadContext, sound: (context: LoadContext) => Promise<unknown>) => Promise<unknown>,
): Shelf =>
  class extends ShelfIoManager {
    override load(context: LoadContext) {
      return load(context, (asked) => super.load(asked));
    }
  };
const storing = (
  store: (context: StoreContext, value: unknown, sound: ShelfIoManager['store']) => ReturnType<ShelfIoManager['store']>,
): Shelf =>
  class extends ShelfIoManager {
    override store(context: StoreContext, value: unknown) {
      return store(context, value, (...given) => super.store(...given));
    }
  };

const BROKEN: readonly [what: string, shelf: Shelf, check: string, versions?: 'kept' | 'head'][] = [
  [
    'loses the types of dates',
    storing((context, value, sound) =>
      sound(context, value instanceof Uint8Array || isRowStream(value) ? value : plain(value)),
    ),
    'gives back dates',
  ],
  [
    'hashes something else',
    storing(async (context, value, sound) => ({ ...(await sound(context, value)), hash: 'x' })),
    'gives back null',
  ],
  [
    'counts no rows',
    storing(async (context, value, sound) => ({ ...(await sound(context, value)), rows: null })),
    'gives back 1 rows',
  ],
  [
    'finds no empty bytes',
    loading(async (context, sound) => {
      const value = await sound(context);
      if (value instanceof Uint8Array && value.length === 0) throw new Error('nothing');
      return value;
    }),
    'gives back 0 bytes',
  ],
  ['shares one value with all who load it', sharing(), 'keeps a value apart'],
  [
    'stores what it cannot give back',
    storing((context, value, sound) => sound(context, value instanceof Map ? {} : value)),
    'refuses a Map',
  ],
  [
    'reads rows once',
    loading(async (context, sound) => {
      const value = await sound(context);
      return isRowStream(value) ? Object.assign(value[Symbol.asyncIterator](), once(value)) : value;
    }),
    'gives back 1 rows',
  ],
  [
    'gives rows back as an array',
    loading(async (context, sound) => {
      const value = await sound(context);
      return isRowStream(value) ? (value as ReturnType<typeof rowsOf>).toArray() : value;
    }),
    'gives back 1 rows',
  ],
  [
    'gives an array back as rows',
    loading(async (context, sound) => {
      const value = await sound(context);
      return Array.isArray(value) && value.length > 0 ? rowsOf(value) : value;
    }),
    'gives back an array of rows',
  ],
  ['gives all columns', loading(({ columns: _, ...context }, sound) => sound(context)), 'narrows rows'],
  [
    'slices too much',
    loading(async (context, sound) => {
      const value = await sound(context);
      return isRowStream(value) ? Object.assign(value, { slice: () => value }) : value;
    }),
    'reads a slice',
  ],
  [
    'keeps rows as they become later',
    storing(async (context, value, sound) => {
      if (!isRowStream(value)) return sound(context, value);
      const rows: Row[] = [];
      for await (const row of value) rows.push(row as Row);
      return sound(context, rowsOf(rows));
    }),
    'stores each row as it was',
  ],
  [
    'wraps the errors of rows',
    storing((context, value, sound) =>
      sound(context, value).catch((cause: unknown) => {
        throw new Error('wrapped', { cause });
      }),
    ),
    'passes on the error of the rows',
  ],
  [
    'hears of no abort',
    storing((context, value, sound) => sound({ ...context, signal: new AbortController().signal }, value)),
    'rejects with the reason when it is aborted',
  ],
  [
    'hears late of an abort',
    storing(async (context, value, sound) => {
      if (!isRowStream(value)) return sound(context, value);
      const stored = await sound({ ...context, signal: new AbortController().signal }, value);
      context.signal.throwIfAborted();
      return stored;
    }),
    'rejects with the reason when it is aborted while rows come',
  ],
  [
    'leaves what was aborted',
    storing(async (context, value, sound) => {
      if (isRowStream(value)) await sound({ ...context, signal: new AbortController().signal }, rowsOf([{ id: 0 }]));
      return sound(context, value);
    }),
    'passes on the error of the rows unchanged, and leaves nothing',
  ],
  [
    'calls columns never null that are',
    storing(async (context, value, sound) => {
      const { schema, ...stored } = await sound(context, value);
      return { ...stored, ...(schema && { schema: schema.map((column) => ({ ...column, nullable: false })) }) };
    }),
    'tells the columns of rows',
  ],
  ['holds all rows', storing(async (context, value, sound) => sound(context, value)), 'holds no more of many rows'],
  [
    'shows all for the beginning',
    class extends ShelfIoManager {
      override async begin(context: LoadContext) {
        return { value: await this.load(context), complete: true };
      }
    },
    'shows the first of many rows',
  ],
  [
    'takes no partition for the empty one',
    class extends ShelfIoManager {
      protected override slotOf(context: StoreContext) {
        return JSON.stringify([context.namespace, context.asset, context.partition ?? '']);
      }
      protected override find(context: LoadContext) {
        return this.slots.get((context.location as { slot: string }).slot)!;
      }
    },
    'keeps values of any keys apart',
  ],
  [
    'knows one namespace',
    class extends ShelfIoManager {
      protected override slotOf({ asset, partition }: StoreContext) {
        return JSON.stringify([asset, partition]);
      }
      protected override find(context: LoadContext) {
        return this.slots.get((context.location as { slot: string }).slot)!;
      }
    },
    'keeps namespaces and assets apart',
  ],
  [
    'uses a place anew for the next attempt',
    class extends ShelfIoManager {
      protected override slotOf({ namespace, asset, partition, materialization }: StoreContext) {
        return JSON.stringify([namespace, asset, partition, materialization]);
      }
      override async store(context: StoreContext, value: unknown) {
        return super.store({ ...context, epoch: 1 }, value);
      }
    },
    'stores what an attempt left before its commit',
  ],
  [
    'overwrites what is committed',
    class extends ShelfIoManager {
      protected override slotOf({ namespace, asset, partition }: StoreContext) {
        return JSON.stringify([namespace, asset, partition]);
      }
    },
    'leaves the value of a partition as it is',
  ],
  [
    'fails to delete twice',
    class extends ShelfIoManager {
      override async delete(context: LoadContext) {
        this.find(context);
        await super.delete(context);
      }
    },
    'does not find what was deleted, and deletes twice',
  ],
  [
    'takes what is absent for a failure',
    loading((context, sound) =>
      sound(context).catch((cause: unknown) => {
        throw new FlowStoneError('FLOWSTONE_IO_FAILED', 'gone', { cause });
      }),
    ),
    'does not find what was deleted',
  ],
  [
    'calls everything lost',
    class extends ShelfIoManager {
      override lost() {
        return 'gone';
      }
    },
    'calls nothing lost that is there',
  ],
  [
    'discards what is young',
    class extends ShelfIoManager {
      override discard(orphan: Parameters<ShelfIoManager['discard']>[0]) {
        return super.discard(orphan, new Date(8e15));
      }
    },
    'lists attempts and discards',
  ],
  [
    'lists what others left',
    class extends ShelfIoManager {
      override list() {
        return super.list('conformance');
      }
    },
    'lists attempts and discards',
  ],
  [
    'gives what came later',
    class extends ShelfIoManager {
      protected override find(context: LoadContext) {
        return this.slots.get((context.location as { slot: string }).slot)!;
      }
    },
    'tells who loads a value that another one has replaced',
    'head',
  ],
  [
    'tells nobody that a value moved',
    loading(({ moved: _, ...context }, sound) => sound(context)),
    'tells who loads a value',
    'head',
  ],
  [
    'reads on in what came later',
    class extends ShelfIoManager {
      protected override batches(...[context, range, columns]: Parameters<ShelfIoManager['batches']>) {
        const { slot } = context.location as { slot: string };
        const by = () => this.slots.get(slot)!.by;
        const location = {
          slot,
          get by() {
            return by();
          },
        };
        return super.batches({ ...context, location }, range, columns);
      }
    },
    'tells who reads rows while they are replaced',
    'head',
  ],
  [
    'deletes what came later',
    class extends ShelfIoManager {
      override async delete({ location }: LoadContext) {
        this.slots.delete((location as { slot: string }).slot);
      }
    },
    'leaves the newest value when an older one is deleted',
    'head',
  ],
  [
    'lets the fenced replace',
    storing(({ holds: _, ...context }, value, sound) => sound(context, value)),
    'lets nobody replace a value',
    'head',
  ],
];

function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : Array.isArray(value) ? value.map(plain) : value;
}

function once(rows: object) {
  let used = false;
  const guarded = <T>(begin: () => T): T => {
    if (used) throw new Error('read already');
    used = true;
    return begin();
  };
  const { toArray, slice } = rows as ReturnType<typeof rowsOf>;
  return {
    [Symbol.asyncIterator]: () => guarded(() => (rows as AsyncIterable<unknown>)[Symbol.asyncIterator]()),
    toArray: () => guarded(() => toArray()),
    slice,
  };
}

function sharing(): Shelf {
  return class extends ShelfIoManager {
    readonly #shared = new Map<string, unknown>();
    override async load(context: LoadContext) {
      const name = JSON.stringify(context.location);
      const value = this.#shared.get(name) ?? (await super.load(context));
      this.#shared.set(name, value);
      return value;
    }
  };
}

describe('the suite of I/O managers', () => {
  it.each(['kept', 'head'] as const)('finds nothing wrong with a sound one (%s)', async (versions) => {
    const { failed, checks } = await failuresOf({ create: () => new ShelfIoManager(versions) });
    expect(failed).toEqual([]);
    expect(checks).toBeGreaterThan(40);
  });

  it.each(BROKEN)('finds the one that %s', async (_what, Broken, check, versions = 'kept') => {
    const inMemory = !check.startsWith('holds no more');
    const { failed } = await failuresOf({ create: () => new Broken(versions), inMemory }, check);
    expect(failed).not.toEqual([]);
  });

  it('finds the one that needs the options of an asset to find its value', async () => {
    const Broken = loading(async (context, sound) => {
      if (context.options['shelf'] === 'red') return sound(context);
      throw new Error('on which shelf?');
    });
    const { failed } = await failuresOf({ create: () => new Broken(), options: { shelf: 'red' } });
    expect(failed).toEqual(['finds a value by where it is recorded, whatever its asset says now']);
  });

  it('finds one that reports failure as absence, and deletes by it', async () => {
    class Forgetful extends UnreachableShelf {
      override delete = async () => undefined as never;
    }
    const { failed } = await failuresOf({ create: () => new ShelfIoManager(), createBroken: () => new Forgetful() });
    expect(failed).toEqual(['reports a storage that fails as failure, not as an absent value']);
  });
});
