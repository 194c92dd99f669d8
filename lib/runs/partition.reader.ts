// Which partition of an asset a caller means: one that exists, or a retired one of which something is recorded.
import { contextPartition, type ContextPartition } from '../assets/asset.context.js';
import type { AssetClass } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { EntityManager, Ledger } from '../ledger/ledger.port.js';
import { canonicalKey } from '../partitions/canonical-key.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import type { Catalogue } from './catalogue.js';
import { PartitionMoments, type SchemeSupply } from './partition.moments.js';
import { bothGiven, type RequestReader } from './request.reader.js';
import type { RecordedPlace } from './value.reader.js';

/** One partition, or some, or all. */
interface NamedPartitions {
  readonly partition?: PartitionKeyInput;
  readonly partitions?: readonly PartitionKeyInput[] | 'all';
}

export class PartitionReader {
  constructor(
    private readonly ledger: Ledger,
    private readonly registry: AssetRegistry,
    private readonly catalogue: Catalogue,
    private readonly reader: RequestReader,
    private readonly moments: PartitionMoments,
    private readonly supply: SchemeSupply,
  ) {}

  /** A partition that exists; without one that of an unpartitioned asset. */
  async existing(
    asset: AssetClass | string,
    input: PartitionKeyInput | undefined,
    moments = this.moments,
  ): Promise<RecordedPlace> {
    const { key: name, scheme } = this.catalogue.resolve(asset);
    const key = await this.reader.partition(moments, name, input);
    return { asset: name, key, partition: scheme ? key : undefined };
  }

  /** A partition that exists, or a retired one of which something is recorded. */
  async recorded(asset: AssetClass | string, input: PartitionKeyInput | undefined): Promise<RecordedPlace> {
    try {
      return await this.existing(asset, input);
    } catch (error) {
      const { key: name, scheme } = this.catalogue.resolve(asset);
      const gone = error instanceof FlowStoneError && error.code === 'FLOWSTONE_PARTITION_UNKNOWN';
      if (!gone || !scheme || input === undefined) throw error;
      const key = canonicalKey(scheme, input);
      const [heads] = await this.ledger.heads([{ asset: name, partitions: [key] }]);
      if (!heads!.has(key)) throw error;
      return { asset: name, key, partition: key };
    }
  }

  /** As code that looks at a value is given it; one that was retired has only its key. */
  async shown(asset: string, key: string): Promise<ContextPartition> {
    const model = await this.moments.recent([asset]);
    const set = model.setOf(model.requireIndex(asset));
    const ordinal = set.ordinalOf(key);
    if (ordinal < 0) return contextPartition(key, undefined, undefined);
    return contextPartition(key, set.windowAt(ordinal), set.dimensionsAt(ordinal));
  }

  /** The keys of those that are named; undefined: none is. */
  async named(
    { partition, partitions }: NamedPartitions,
    place: (input: PartitionKeyInput) => Promise<RecordedPlace>,
  ): Promise<readonly string[] | 'all' | undefined> {
    if (partition !== undefined && partitions !== undefined) throw bothGiven();
    if (partitions === 'all') return partitions;
    const inputs = partitions ?? (partition === undefined ? undefined : [partition]);
    return inputs && Promise.all(inputs.map(async (input) => (await place(input)).key));
  }

  /** Reads for a request or act in the transaction it belongs to, sharing nothing with those outside of it. */
  async reading<T>(manager: EntityManager | undefined, read: (moments: PartitionMoments) => Promise<T>): Promise<T> {
    if (!manager) return read(this.moments);
    const moments = new PartitionMoments(this.ledger, this.registry, this.catalogue, this.supply);
    return this.ledger.readWithin(manager, () => read(moments));
  }
}
