// Loading what is recorded, for those who ask from outside of a run: the head's value, or that of an earlier version.
// Nothing pins what they read, so that retention may remove it meanwhile.
import { FlowStoneError } from '../flowstone.errors.js';
import { versionNotKept } from '../io/io-failures.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord, ValueRecord } from '../ledger/records.js';
import { placeName } from './failure.js';
import type { ValueStore } from './value.store.js';

/** An asset and a partition of it: `key` as recorded, `partition` as shown (undefined: unpartitioned). */
export interface RecordedPlace {
  readonly asset: string;
  readonly key: string;
  readonly partition: string | undefined;
}

export class ValueReader {
  /** @param why says why a version of an asset is not kept, to complete "since" */
  constructor(
    private readonly ledger: Pick<Ledger, 'heads' | 'materialization'>,
    private readonly values: ValueStore,
    private readonly why: (asset: string) => string,
  ) {}

  /**
   * @param version id of an earlier materialization; undefined: the head
   * @throws FlowStoneError FLOWSTONE_VALUE_MISSING, FLOWSTONE_IO_VERSION_NOT_KEPT
   */
  load(place: RecordedPlace, version?: number): Promise<unknown> {
    return version === undefined ? this.#loadHead(place) : this.#loadVersion(place, version);
  }

  /** @param missed a head whose value was not there, and the error that said so */
  async #loadHead(
    place: RecordedPlace,
    missed?: { readonly head: HeadRecord; readonly error: unknown },
  ): Promise<unknown> {
    const head = await this.#head(place);
    if (head?.materialization == null || (head.value && this.values.lost(head.value))) {
      throw valueMissing(place, 'no value. Materialize it first.');
    }
    if (head.materialization === missed?.head.materialization) throw missed.error;
    // It may have been superseded and removed since its record was read: then the newer one is the answer.
    return this.#loadValue(place, head.value, (error) => this.#loadHead(place, { head, error }));
  }

  async #loadVersion(place: RecordedPlace, version: number): Promise<unknown> {
    // What cannot be an id is none; the database would call it a syntax error.
    const record = Number.isSafeInteger(version) ? await this.ledger.materialization(version) : undefined;
    const isThis = record?.asset === place.asset && record.partition === place.key && record.status === 'success';
    if (!isThis || (record.value && this.values.lost(record.value))) {
      const what = `no version ${version}, unless retention removed its record. See history().`;
      throw valueMissing(place, what, version);
    }
    if (record.valueRemoved) throw versionNotKept(place, version, this.why(place.asset));
    if (record.value && this.values.keepsHeadOnly(record.value)) {
      const isHead = (await this.#head(place))?.materialization === version;
      if (!isHead) throw versionNotKept(place, version, `I/O manager '${record.value.io}' keeps only the newest`);
    }
    return this.#loadValue(place, record.value, async (error) => {
      const now = await this.ledger.materialization(version);
      if (now && !now.valueRemoved) throw error;
      return this.#loadVersion(place, version);
    });
  }

  async #head({ asset, key }: RecordedPlace): Promise<HeadRecord | undefined> {
    return (await this.ledger.heads([{ asset, partitions: [key] }]))[0]!.get(key);
  }

  /** @param absent what to do where the value is not to be found */
  async #loadValue(
    { asset, partition }: RecordedPlace,
    value: ValueRecord | null,
    absent: (error: unknown) => Promise<unknown>,
  ): Promise<unknown> {
    try {
      return await this.values.load({ asset, partition, value });
    } catch (error) {
      if (error instanceof FlowStoneError && error.code === 'FLOWSTONE_IO_VALUE_NOT_FOUND') return absent(error);
      throw error;
    }
  }
}

function valueMissing(place: RecordedPlace, what: string, version?: number): FlowStoneError {
  const { asset, partition } = place;
  return new FlowStoneError('FLOWSTONE_VALUE_MISSING', `${placeName(place)} has ${what}`, {
    context: { asset, partition, version },
  });
}
