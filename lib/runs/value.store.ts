// Values of assets by their recorded place: which I/O manager stores and loads them, and with which options.
import { contextPartition } from '../assets/asset.context.js';
import type { AssetDefinition, DeclaredAsset } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { isRowStream } from '../io/data-version.js';
import type { LoadContext, MostOfValue, PartitionSlice, ValueBeginning } from '../io/io-manager.port.js';
import type { IoRegistry } from '../io/io.registry.js';
import { firstRows, type Rows } from '../io/rows.js';
import type { Claim } from '../ledger/work.js';
import type { ValueRecord } from '../ledger/records.js';
import type { Stored, Unwritten } from './attempt.host.js';
import type { Catalogue } from './catalogue.js';
import { placeName } from './failure.js';
import type { LoadOptions, PinLoader, PlacedValue } from './input.loader.js';

/** Whether an attempt may still commit, by the ledger. */
export type StoringHolds = (attempt: Pick<Claim, 'id' | 'epoch'>) => Promise<boolean>;

/** An external asset may know how to fetch its own value. */
interface LoadsItself {
  load(partition: ReturnType<typeof contextPartition>): unknown;
}

export class ValueStore implements PinLoader {
  constructor(
    private readonly registry: AssetRegistry,
    private readonly catalogue: Catalogue,
    private readonly io: IoRegistry,
    private readonly options: { readonly namespace: string; readonly io: string },
    private readonly holds: StoringHolds,
  ) {}

  async store(
    definition: AssetDefinition,
    claim: Claim,
    slice: () => PartitionSlice,
    value: unknown,
    signal: AbortSignal,
  ): Promise<Stored | Unwritten> {
    const io = definition.io ?? this.options.io;
    const stored = await this.io.require(io).store(
      {
        namespace: this.options.namespace,
        asset: claim.asset,
        partition: definition.scheme ? claim.partition : undefined,
        materialization: claim.id,
        epoch: claim.epoch,
        options: definition.ioOptions,
        formerly: definition.formerly,
        slice,
        holds: () => this.holds(claim),
        signal,
      },
      value,
    );
    if (!('write' in stored)) return { ...stored, io };
    return { write: async (sql) => ({ ...(await stored.write(sql)), io }), release: () => stored.release() };
  }

  /**
   * The value a pin points at; of an external asset, what its class's `load(partition)` gives, if it has one.
   * @throws FlowStoneError FLOWSTONE_INPUT_WITHOUT_VALUE for an asset that stores none
   */
  async load(
    { asset, partition, value }: PlacedValue,
    { columns, moved }: Partial<LoadOptions> = {},
  ): Promise<unknown> {
    const declared = this.#declared(asset) ?? this.registry.resolve(asset);
    if (value?.io != null) {
      return this.io.require(value.io).load({
        ...this.#context(asset, declared, partition, value),
        ...(columns && { columns }),
        ...(moved && { moved }),
      });
    }
    if (declared.external) {
      const instance = this.registry.find(asset)?.instance;
      return loadsItself(instance) ? instance.load(contextPartition(partition ?? '', undefined, undefined)) : undefined;
    }
    throw new FlowStoneError(
      'FLOWSTONE_INPUT_WITHOUT_VALUE',
      `${placeName({ asset, partition })} stores no value: its execute() returned undefined. Return one, or depend on it with after().`,
      { context: { asset, partition } },
    );
  }

  /**
   * The beginning of the value of a pin, for people to look at; what its manager can only load is cut by the caller.
   * @throws as `load` does
   */
  async begin(place: PlacedValue, most: MostOfValue): Promise<ValueBeginning> {
    const { asset, partition, value } = place;
    const manager = value?.io == null ? undefined : this.io.require(value.io);
    if (manager?.begin) return manager.begin(this.#context(asset, this.#declared(asset), partition, value!), most);
    const loaded = await this.load(place);
    return isRowStream(loaded) ? firstRows(loaded as Rows<unknown>, most.rows) : { value: loaded, complete: true };
  }

  /** Also of an asset that is not declared here. */
  async delete(asset: string, partition: string | undefined, value: ValueRecord): Promise<void> {
    if (value.io === null) return;
    const definition = this.#declared(asset);
    await this.io.require(value.io).delete(this.#context(asset, definition, partition, value));
  }

  /** Whether the manager of a value keeps it only while it is the newest. */
  keepsHeadOnly({ io, location }: ValueRecord): boolean {
    return io !== null && this.io.isReplaced(io, location);
  }

  /** Why a recorded value is known to be gone, undefined while it may be there. */
  lost({ io, location }: ValueRecord): string | undefined {
    return io !== null && this.io.names.includes(io) ? this.io.require(io).lost?.(location) : undefined;
  }

  /** Whether its manager may lose it without a word: see {@link lost}. */
  mayBeLost({ io }: ValueRecord): boolean {
    return io !== null && this.io.names.includes(io) && this.io.require(io).lost !== undefined;
  }

  /** By this process, or by a live worker. */
  #declared(asset: string): DeclaredAsset | undefined {
    return this.registry.find(asset)?.definition ?? this.catalogue.find(asset);
  }

  #context(
    asset: string,
    definition: DeclaredAsset | undefined,
    partition: string | undefined,
    { location, io }: ValueRecord,
  ): LoadContext {
    const declared = definition?.io ?? this.options.io;
    return {
      namespace: this.options.namespace,
      asset,
      partition,
      location,
      // Options belong to the manager that is declared now; a value of an earlier one is found by its location.
      options: definition && declared === io ? definition.ioOptions : {},
    };
  }
}

function loadsItself(instance: unknown): instance is LoadsItself {
  return typeof (instance as LoadsItself | undefined)?.load === 'function';
}
