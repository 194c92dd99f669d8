// A sound manager as an author of one would write it, by what nestjs-flowstone exports: keeps any value in memory, all
// versions, or the newest of each partition only. What is broken on purpose is made of it (broken-managers.ts).
import {
  batchesWithin,
  dataVersionOf,
  FlowStoneError,
  isRowStream,
  narrowRow,
  RowEncoder,
  rowsInBatches,
  valueFromText,
  valueMoved,
  valueNotFound,
  valueToText,
  type IoManager,
  type LoadContext,
  type MostOfValue,
  type RowRange,
  type StoreContext,
  type StoredAttempt,
  type StoredValue,
  type ValueBeginning,
} from 'nestjs-flowstone';

export type Row = Readonly<Record<string, unknown>>;
const BATCH = 1000;

/** What lies in a slot: text or bytes, or batches of rows as text. */
export interface Kept {
  readonly content: string | Uint8Array | readonly string[];
  readonly by: string;
  readonly at: number;
}

export class ShelfIoManager implements IoManager {
  protected readonly slots = new Map<string, Kept>();

  constructor(readonly versions: 'kept' | 'head' = 'kept') {}

  async store(context: StoreContext, value: unknown): Promise<StoredValue> {
    const { signal } = context;
    signal.throwIfAborted();
    const { content, ...told } = await this.encode(value, signal);
    const slot = this.slotOf(context);
    const by = attemptName(context);
    if (this.versions === 'head' && context.holds && !(await context.holds())) throw new Error('the lease is lost');
    this.slots.set(slot, { content, by, at: Date.now() });
    return { location: { slot, by }, ...told };
  }

  async load(context: LoadContext): Promise<unknown> {
    const { content } = this.find(context);
    const { columns } = context;
    if (typeof content === 'string') return valueFromText(content);
    if (content instanceof Uint8Array) return content.slice();
    return rowsInBatches((range) => this.batches(context, range, columns));
  }

  async delete(context: LoadContext): Promise<void> {
    const { slot, by } = placeOf(context);
    if (this.slots.get(slot)?.by === by) this.slots.delete(slot);
  }

  async exists(context: LoadContext): Promise<boolean> {
    const { slot, by } = placeOf(context);
    return this.slots.get(slot)?.by === by;
  }

  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    for (const { by } of [...this.slots.values()]) {
      const [of, materialization, epoch] = JSON.parse(by) as [string, number, number];
      if (of === namespace) yield { materialization, epoch };
    }
  }

  async discard(
    { namespace, materialization, epoch }: StoredAttempt & { namespace: string },
    before: Date,
  ): Promise<boolean> {
    const by = attemptName({ namespace, materialization, epoch });
    const found = [...this.slots].find(([, kept]) => kept.by === by && kept.at < before.getTime());
    return found !== undefined && this.slots.delete(found[0]);
  }

  async begin(context: LoadContext, { rows, bytes }: MostOfValue): Promise<ValueBeginning> {
    const value = await this.load(context);
    if (isRowStream(value)) {
      const first = await (value as ReturnType<typeof rowsInBatches>).slice(0, rows + 1).toArray();
      return { value: first.slice(0, rows), complete: first.length <= rows };
    }
    if (value instanceof Uint8Array) return { value: value.slice(0, bytes), complete: value.length <= bytes };
    if (Array.isArray(value)) return { value: value.slice(0, rows), complete: value.length <= rows };
    const { text } = valueToText(value);
    return text.length <= bytes ? { value, complete: true } : { value: { list: [] }, complete: false };
  }

  lost(_location: unknown): string | undefined {
    return undefined;
  }

  protected async encode(
    value: unknown,
    signal: AbortSignal,
  ): Promise<Omit<StoredValue, 'location'> & Pick<Kept, 'content'>> {
    if (value instanceof Uint8Array) return { content: value.slice(), size: value.length, ...dataVersionOf(value) };
    if (!isRowStream(value)) {
      const { text, ...told } = valueToText(value);
      return { content: text, size: text.length, ...told };
    }
    const encoder = new RowEncoder();
    const batches: string[] = [];
    let lines: string[] = [];
    for await (const row of value) {
      signal.throwIfAborted();
      if (lines.push(JSON.stringify(encoder.add(row))) % BATCH !== 0) continue;
      batches.push(`[${lines.join()}]`);
      lines = [];
    }
    batches.push(`[${lines.join()}]`);
    const size = batches.reduce((sum, { length }) => sum + length, 0);
    return { content: batches, size, hash: encoder.digest(), rows: encoder.rows, schema: encoder.schema };
  }

  protected slotOf(context: StoreContext): string {
    const { namespace, asset, partition } = context;
    return JSON.stringify([namespace, asset, partition ?? null, this.versions === 'kept' ? attemptName(context) : '']);
  }

  protected find(context: LoadContext): Kept {
    const { slot, by } = placeOf(context);
    const kept = this.slots.get(slot);
    if (kept === undefined) throw valueNotFound(context, 'there is none on the shelf');
    if (kept.by === by) return kept;
    context.moved?.();
    throw valueMoved(context);
  }

  /** Each batch is found anew: another value may have taken the place of the rows meanwhile. */
  protected async *batches(
    context: LoadContext,
    range: RowRange,
    columns: readonly string[] | undefined,
  ): AsyncGenerator<readonly Row[]> {
    const find = () => this.find(context).content as readonly string[];
    const all = async function* () {
      const { length } = find();
      for (let at = 0; at < length; at++) {
        const rows = valueFromText(find()[at]!) as Row[];
        yield columns === undefined ? rows : rows.map((row) => narrowRow(row, columns));
      }
    };
    yield* batchesWithin(all(), range);
  }
}

/** One whose storage cannot be reached. */
export class UnreachableShelf extends ShelfIoManager {
  override store = () => unreachable();
  override load = () => unreachable();
  override delete = () => unreachable();
  override exists = () => unreachable();
}

async function unreachable(): Promise<never> {
  throw new FlowStoneError('FLOWSTONE_IO_FAILED', 'no route to the shelf');
}

function attemptName({
  namespace,
  materialization,
  epoch,
}: Pick<StoreContext, 'namespace' | 'materialization' | 'epoch'>): string {
  return JSON.stringify([namespace, materialization, epoch]);
}

function placeOf({ location }: LoadContext): { readonly slot: string; readonly by: string } {
  return location as { readonly slot: string; readonly by: string };
}
