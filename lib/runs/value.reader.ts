// Loading or showing what is recorded, for those who ask from outside of a run: the head's value, or that of a version.
// Nothing pins what they read, so that retention may remove it meanwhile.
import { FlowStoneError } from '../flowstone.errors.js';
import { versionNotKept } from '../io/io-failures.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord, ValueRecord } from '../ledger/records.js';
import { placeName } from './failure.js';
import { extractOf, mostOfPreview, type ValuePreview } from './value.preview.js';
import type { ValueStore } from './value.store.js';

/** What is done with a value that is recorded of a materialization. */
type UseOfValue<T> = (materialization: number, value: ValueRecord | null) => Promise<T>;

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
    const { asset, partition } = place;
    return this.#read(place, version, (_, value) => this.values.load({ asset, partition, value }));
  }

  /** A look at the value, with so many rows at most. Version and errors as for `load`. */
  preview(place: RecordedPlace, version: number | undefined, rows: number): Promise<ValuePreview> {
    const { asset, partition } = place;
    return this.#read(place, version, async (materialization, value) => {
      const beginning = await this.values.begin({ asset, partition, value }, mostOfPreview(rows));
      const record = await this.ledger.materialization(materialization);
      return { ...extractOf(beginning, rows), materialization, value: record?.value ?? null };
    });
  }

  #read<T>(place: RecordedPlace, version: number | undefined, use: UseOfValue<T>): Promise<T> {
    return version === undefined ? this.#readHead(place, use) : this.#readVersion(place, version, use);
  }

  /** @param missed a head whose value was not there, and the error that said so */
  async #readHead<T>(
    place: RecordedPlace,
    use: UseOfValue<T>,
    missed?: { readonly head: HeadRecord; readonly error: unknown },
  ): Promise<T> {
    const head = await this.#head(place);
    if (head?.materialization == null || (head.value && this.values.lost(head.value))) {
      throw valueMissing(place, 'no value. Materialize it first.');
    }
    if (head.materialization === missed?.head.materialization) throw missed.error;
    try {
      return await use(head.materialization, head.value);
    } catch (error) {
      // It may have been superseded and removed since its record was read: then the newer one is the answer.
      if (isAbsent(error)) return this.#readHead(place, use, { head, error });
      throw error;
    }
  }

  async #readVersion<T>(place: RecordedPlace, version: number, use: UseOfValue<T>): Promise<T> {
    const value = await this.#requireVersion(place, version);
    try {
      return await use(version, value);
    } catch (error) {
      // Is it kept no more since its record was read?
      if (isAbsent(error)) await this.#requireVersion(place, version);
      throw error;
    }
  }

  async #requireVersion(place: RecordedPlace, version: number): Promise<ValueRecord | null> {
    // What cannot be an id is none; the database would call it a syntax error.
    const record = Number.isSafeInteger(version) ? await this.ledger.materialization(version) : undefined;
    const isThis = record?.asset === place.asset && record.partition === place.key && record.status === 'success';
    if (!isThis || (record.value && this.values.lost(record.value))) {
      const what = `no version ${version}, unless retention removed its record. See history().`;
      throw valueMissing(place, what, version);
    }
    if (record.valueRemoved) throw versionNotKept(place, version, `${this.why(place.asset)}, or delete() removed it`);
    if (record.value && this.values.keepsHeadOnly(record.value)) {
      const isHead = (await this.#head(place))?.materialization === version;
      if (!isHead) throw versionNotKept(place, version, `I/O manager '${record.value.io}' keeps only the newest`);
    }
    return record.value;
  }

  async #head({ asset, key }: RecordedPlace): Promise<HeadRecord | undefined> {
    return (await this.ledger.heads([{ asset, partitions: [key] }]))[0]!.get(key);
  }
}

/** Whether what was recorded a moment ago is not there, or not any more. */
function isAbsent(error: unknown): boolean {
  return (
    error instanceof FlowStoneError &&
    (error.code === 'FLOWSTONE_IO_VALUE_NOT_FOUND' || error.code === 'FLOWSTONE_IO_VALUE_MOVED')
  );
}

function valueMissing(place: RecordedPlace, what: string, version?: number): FlowStoneError {
  const { asset, partition } = place;
  return new FlowStoneError('FLOWSTONE_VALUE_MISSING', `${placeName(place)} has ${what}`, {
    context: { asset, partition, version },
  });
}
