// The I/O managers of an application by name.
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { JsonValue } from '../ledger/records.js';
import type { AssetPlace, IoManager } from './io-manager.port.js';

/** Finds I/O managers by the name that `@Asset({ io })` and recorded heads use, and opens and closes them. */
export class IoRegistry {
  private readonly managers: ReadonlyMap<string, IoManager>;
  private readonly opened: IoManager[] = [];

  constructor(managers: Iterable<readonly [name: string, manager: IoManager]>) {
    this.managers = new Map(managers);
  }

  /** In the order of configuration. */
  get names(): string[] {
    return [...this.managers.keys()];
  }

  /** In the order of configuration. */
  get all(): IterableIterator<readonly [name: string, manager: IoManager]> {
    return this.managers.entries();
  }

  /** Throws `FLOWSTONE_IO_MANAGER_UNKNOWN`. */
  require(name: string): IoManager {
    const manager = this.managers.get(name);
    if (manager !== undefined) return manager;
    throw new FlowStoneError(
      'FLOWSTONE_IO_MANAGER_UNKNOWN',
      `there is no I/O manager "${name}"${didYouMean(name, this.names)}. Configured: ${this.names.join(', ') || 'none'}.`,
      { context: { name } },
    );
  }

  /** Whether what an asset with these options stores replaces what it stored before. */
  keepsHeadOnly(name: string, options: Readonly<Record<string, unknown>>): boolean {
    const { versions } = this.require(name);
    return (typeof versions === 'string' ? versions : versions.ofOptions(options)) === 'head';
  }

  /** Whether what was stored there is replaced by what is stored next. */
  isReplaced(name: string, location: JsonValue): boolean {
    const { versions } = this.require(name);
    return (typeof versions === 'string' ? versions : versions.ofLocation(location)) === 'head';
  }

  /** What is wrong with an asset's options for a manager. Throws `FLOWSTONE_IO_MANAGER_UNKNOWN`. */
  optionProblems(name: string, options: Readonly<Record<string, unknown>>, asset?: AssetPlace): string[] {
    return this.require(name).optionProblems?.(options, asset) ?? [];
  }

  /** An asset's options for a manager as plain data, see IoManager. */
  plainOptions(name: string, options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return this.require(name).plainOptions?.(options) ?? options;
  }

  /** What of a manager's storage an asset with these options has for itself. */
  occupied(name: string, options: Readonly<Record<string, unknown>>): string | undefined {
    return this.require(name).occupies?.(options);
  }

  /** Opens all managers, in order. When one fails, those opened before are closed by `close`. */
  async open(): Promise<void> {
    for (const manager of this.managers.values()) {
      await manager.open?.();
      this.opened.push(manager);
    }
  }

  /** Closes what was opened, last first. Every one is closed, also when another fails; then the first error is thrown. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let manager = this.opened.pop(); manager !== undefined; manager = this.opened.pop()) {
      try {
        await manager.close?.();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
