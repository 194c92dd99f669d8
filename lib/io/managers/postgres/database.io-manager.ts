// What the two managers that keep values in PostgreSQL have in common: rows in tables, all else as documents.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { ValueDatabase } from '../../../ledger/value-database.port.js';
import { ioFailed, placeRefusal, type ValuePlace } from '../../io-failures.js';
import type {
  AssetPlace,
  IoManager,
  LoadContext,
  MostOfValue,
  StoreContext,
  StoredValue,
  UnwrittenValue,
  ValueBeginning,
  VersionsOf,
} from '../../io-manager.port.js';
import { SpoolFailed } from '../../spool.js';
import { DocumentValues } from './document.values.js';
import { isLate, lateFailure, spoolFailure, type EncodedValue } from './encoded.value.js';
import {
  BESIDE_TABLE,
  meansTable,
  readDeclaration,
  TABLE_OPTIONS,
  tableName,
  unknownOptions,
} from './table.declaration.js';
import { entityFacts } from './table.entity.js';
import { isInTable } from './table.location.js';
import { TableValues } from './table.values.js';

/** What an asset may say for a manager that keeps values in PostgreSQL. Without `table` or `entity`: a document. */
export interface PostgresValueOptions {
  /** `'schema.name'`, or `'name'` for one in `public`: rows of a partition are kept there, and replace those before them. */
  readonly table?: string;
  /** Types by column, such as `{ airport: 'text', delay: { type: 'double precision', nullable: false } }`. */
  readonly columns?: Readonly<Record<string, string | { readonly type: string; readonly nullable?: boolean }>>;
  /** A class with TypeORM's `@Entity()`, instead of `columns`. */
  readonly entity?: abstract new (...args: never[]) => unknown;
  /** Columns that tell rows of a partition apart, and order them. Left out: rows come back in the order they came in. */
  readonly key?: readonly string[];
  /** The column that says of which partition a row is. Default: `partition`. */
  readonly partitionColumn?: string | { readonly name: string; readonly type: string };
  /** The same by dimension, where keys have several parts. Default: named as the dimension. */
  readonly partitionColumns?: Readonly<Record<string, string | { readonly name: string; readonly type: string }>>;
  /** Whether rows that are in the table before anything was stored there may be replaced. Default: no. */
  readonly adopt?: boolean;
}

/** @typeParam Kept what `store` gives: a value that is there, or one that may still have to be written */
export abstract class DatabaseIoManager<Kept extends StoredValue | UnwrittenValue> implements IoManager {
  readonly versions = {
    ofOptions: (options: Readonly<Record<string, unknown>>): VersionsOf => (meansTable(options) ? 'head' : 'kept'),
    ofLocation: (location: unknown): VersionsOf => (isInTable(location) ? 'head' : 'kept'),
  };
  readonly #modes = [
    () => this.database,
    (place: ValuePlace, error: unknown) => this.failure(place, 'load', error),
  ] as const;
  protected readonly documents = new DocumentValues(...this.#modes);
  readonly #tables = new TableValues(...this.#modes);

  /** Of its own tables. */
  protected abstract readonly schema: string;

  /** What is asked of while the manager is open. */
  protected abstract readonly database: ValueDatabase;

  /** Called before anything is asked of the database. */
  protected async ready(): Promise<void> {}

  /** Writes an encoded value, unless that is to be done with its record. */
  protected abstract keep(context: StoreContext, value: EncodedValue): Promise<Kept>;

  /** The error to throw for one of the database, which is one of the ledger's where it cannot be reached. */
  protected failure(place: ValuePlace, verb: string, error: unknown): unknown {
    if (!(error instanceof FlowStoneError)) return ioFailed(place, verb, error);
    // To the ledger that is an outage; but here others may keep a table locked while all else goes on.
    const late = error.code === 'FLOWSTONE_LEDGER_UNAVAILABLE' && isLate(error.cause);
    return late ? lateFailure(place, verb, error.cause) : error;
  }

  async store(context: StoreContext, value: unknown): Promise<Kept> {
    context.signal.throwIfAborted();
    const mode = meansTable(context.options) ? this.#tables : this.documents;
    await this.failing(context, 'store', async () => undefined);
    // What rows throw that are being made passes unchanged.
    const encoded = await mode.encode(context, value).catch((error: unknown) => {
      if (error instanceof SpoolFailed) throw spoolFailure(context, error);
      const own = error instanceof FlowStoneError;
      throw own ? this.failure(context, 'store', placeRefusal(context, error)) : error;
    });
    return this.keep(context, encoded);
  }

  load(context: LoadContext): Promise<unknown> {
    return this.failing(context, 'load', () => this.#modeOf(context).load(context));
  }

  begin(context: LoadContext, most: MostOfValue): Promise<ValueBeginning> {
    return this.failing(context, 'load', () => this.#modeOf(context).begin(context, most));
  }

  delete(context: LoadContext): Promise<void> {
    return this.failing(context, 'delete', () => this.#modeOf(context).delete(context));
  }

  exists(context: LoadContext): Promise<boolean> {
    return this.failing(context, 'find', () => this.#modeOf(context).exists(context));
  }

  optionProblems(options: Readonly<Record<string, unknown>>, asset?: AssetPlace): string[] {
    if (meansTable(options)) return [...readDeclaration(options, asset?.scheme, this.schema).problems];
    const alone = Object.keys(options).filter((name) => BESIDE_TABLE.includes(name));
    return [
      ...alone.map((name) => `${name} is given without table or entity`),
      ...unknownOptions(options, TABLE_OPTIONS, 'of the postgres manager'),
    ];
  }

  plainOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { entity } = options;
    return entity === undefined ? options : { ...options, entity: entityFacts(entity) };
  }

  occupies(options: Readonly<Record<string, unknown>>): string | undefined {
    const { declaration } = meansTable(options) ? readDeclaration(options, undefined, this.schema) : {};
    return declaration && `table ${tableName(declaration)}`;
  }

  #modeOf({ location }: LoadContext): TableValues | DocumentValues {
    return isInTable(location) ? this.#tables : this.documents;
  }

  /** What `act` does, once the database can be used; fails as `failure` says. */
  protected async failing<T>(place: ValuePlace, verb: string, act: () => Promise<T>): Promise<T> {
    try {
      await this.ready();
      return await act();
    } catch (error) {
      throw this.failure(place, verb, error);
    }
  }
}
