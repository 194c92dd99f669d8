// The inputs of an attempt, loaded by their pins: exactly the versions that were current when it was claimed.
import type { DependencyDefinition } from '../assets/asset.definition.js';
import type { PartitionedInput } from '../assets/asset.value.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { HeadRecord, ValueRecord } from '../ledger/records.js';
import type { Abort } from './abort.js';

/** Values of a {@link PartitionedInput} that are loaded before they are asked for. */
const PREFETCH = 4;

/** One upstream partition at the version an attempt consumes. */
export interface Pin {
  readonly asset: string;
  /** Undefined for an unpartitioned upstream. */
  readonly partition: string | undefined;
  /** Undefined: it has none; only an optional or an external upstream gets so far. */
  readonly head: HeadRecord | undefined;
}

/** A dependency with what it was resolved to. */
export interface PinnedDependency {
  readonly dependency: DependencyDefinition;
  readonly cardinality: 'one' | 'many';
  readonly pins: readonly Pin[];
}

/** A recorded value (null: there is none) and whose it is. */
export interface PlacedValue {
  readonly asset: string;
  /** Undefined for an unpartitioned asset. */
  readonly partition: string | undefined;
  readonly value: ValueRecord | null;
}

/** How a value is loaded. */
export interface LoadOptions {
  readonly columns: readonly string[] | undefined;
  /** Called when the pinned version was replaced while it was read. */
  readonly moved?: () => void;
}

/** Loads what a pin points at. */
export interface PinLoader {
  load(value: PlacedValue, options: LoadOptions): Promise<unknown>;
}

/** The second argument of `execute`, of what is consumed. Single inputs are loaded at once, many lazily. */
export async function loadInputs(
  dependencies: readonly PinnedDependency[],
  loader: PinLoader,
  abort: Pick<Abort, 'throwIfAborted' | 'abort'>,
): Promise<Readonly<Record<string, unknown>>> {
  const moved = (): void => abort.abort('moved');
  const values = await Promise.all(
    dependencies.map(async ({ dependency, cardinality, pins }): Promise<unknown> => {
      const load = async (pin: Pin): Promise<unknown> => {
        abort.throwIfAborted();
        return loader.load(
          { asset: pin.asset, partition: pin.partition, value: pin.head?.value ?? null },
          { columns: dependency.columns, moved },
        );
      };
      if (cardinality === 'many') return partitionedInput(dependency, pins, load);
      const [pin] = pins;
      return pin && (pin.head || !dependency.optional) ? load(pin) : undefined;
    }),
  );
  return Object.fromEntries(dependencies.map(({ dependency }, index) => [dependency.alias, values[index]]));
}

function partitionedInput(
  { alias, upstream }: DependencyDefinition,
  pins: readonly Pin[],
  load: (pin: Pin) => Promise<unknown>,
): PartitionedInput<unknown> {
  const byKey = new Map(pins.map((pin) => [pin.partition ?? '', pin]));
  return {
    keys: {
      async *[Symbol.asyncIterator]() {
        yield* byKey.keys();
      },
    },
    async get(key) {
      const pin = byKey.get(key);
      if (pin) return load(pin);
      throw new FlowStoneError(
        'FLOWSTONE_INPUT_KEY_UNKNOWN',
        `Input "${alias}" has no partition "${key}" of ${upstream}: its mapping names ${byKey.size} partitions. Iterate over \`${alias}.keys\` to see them.`,
        { context: { alias, upstream, key } },
      );
    },
    [Symbol.asyncIterator]: () => prefetched([...byKey], load),
  };
}

async function* prefetched(
  entries: readonly (readonly [string, Pin])[],
  load: (pin: Pin) => Promise<unknown>,
): AsyncGenerator<readonly [string, unknown]> {
  const ahead: Promise<unknown>[] = [];
  for (let index = 0; index < entries.length; index++) {
    while (ahead.length < PREFETCH && index + ahead.length < entries.length) {
      const loading = load(entries[index + ahead.length]![1]);
      // A failure is thrown when its turn comes; until then it must not count as unhandled.
      loading.catch(() => undefined);
      ahead.push(loading);
    }
    yield [entries[index]![0], await ahead.shift()];
  }
}
