// Claims of checkpoints and signals: whether they were decided upon, then that is carried out with the versions that it is
// about; else code that asks.
import type { CheckpointCode } from '../assets/checkpoint.code.js';
import type { SignalCode } from '../assets/signal.code.js';
import { AskingCheckpoint, DecidedCheckpoint } from '../checkpoints/checkpoint.executable.js';
import { AskingSignal, ReceivedSignal } from '../checkpoints/signal.executable.js';
import type { SignalTokens } from '../checkpoints/signal.tokens.js';
import type { ApprovalInput } from '../ledger/approval.records.js';
import type { DecidedApproval } from '../ledger/approvals.port.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord } from '../ledger/records.js';
import type { Claim } from '../ledger/work.js';
import type { AssetView } from './asset.view.js';
import type { AttemptHost, Executable } from './attempt.host.js';
import type { MakeExecution } from './execution.js';
import type { Examined, Execution, Finished } from './execution.port.js';
import type { Pin, PinnedDependency } from './input.loader.js';
import type { Wanting } from './placed.claim.js';

/** What executes a claim of which nothing is decided. */
export type Asking = (view: AssetView, claim: Claim) => Executable;

/** One that was decided upon. */
interface Decided extends Wanting {
  readonly decision: DecidedApproval;
}

export class DecisionDesk {
  constructor(
    private readonly ledger: Pick<Ledger, 'approvals'>,
    private readonly host: AttemptHost,
    private readonly tokens: SignalTokens,
    private readonly execution: MakeExecution,
  ) {}

  /** Takes out what was decided upon; `open` is the rest, most of it no checkpoints. */
  async examine(wanted: readonly Wanting[]): Promise<{
    readonly open: readonly Wanting[];
    readonly examined: Examined;
    readonly asking: Asking;
  }> {
    const asked = wanted.filter(({ view }) => view.definition.checkpoint);
    if (asked.length === 0) return { open: wanted, examined: { executions: [], settled: [] }, asking: itself };
    const decisions = await this.ledger.approvals.decided(asked.map(({ claim }) => claim.id));
    const open = wanted.filter(({ claim }) => !decisions.has(claim.id));
    const executions: Execution[] = [];
    const settled: Finished[] = [];
    for (const wanting of asked) {
      const decision = decisions.get(wanting.claim.id);
      const taken = decision && (await this.#take({ ...wanting, decision }));
      if (taken && 'outcome' in taken) settled.push(taken);
      else if (taken) executions.push(taken);
    }
    return { open, examined: { executions, settled }, asking: await this.#asking(open) };
  }

  /** Whether something differs by now does not matter to what was decided, but what is declared does: then it is asked again. */
  async #take(wanting: Decided): Promise<Execution | Finished> {
    const { claim, view, ordinal, decision } = wanting;
    const { definition, partitions, upstreams, instance } = view;
    const { approval, inputs } = decision;
    const dependencies = approval.kind === definition.checkpoint!.kind ? pinnedBy(wanting) : undefined;
    if (!dependencies) {
      await this.ledger.approvals.supersede(claim, approval.id);
      return { run: claim.run, outcome: { kind: 'handed_back', id: claim.id, epoch: claim.epoch } };
    }
    const executable =
      approval.kind === 'signal'
        ? new ReceivedSignal(instance as SignalCode, definition, approval)
        : new DecidedCheckpoint(instance as CheckpointCode, definition, approval);
    const prepared = { claim, definition, executable, dependencies, inputs, upstreams, partitions, ordinal };
    return this.execution(this.host, { ...prepared, decided: approval });
  }

  /** Of signals it has to be known how often they were asked for before. */
  async #asking(open: readonly Wanting[]): Promise<Asking> {
    const signals = open.filter(({ view }) => view.definition.checkpoint?.kind === 'signal');
    const ids = signals.map(({ claim }) => claim.id);
    const rounds = ids.length === 0 ? undefined : await this.ledger.approvals.rounds(ids);
    return (view, { id }) => {
      const { definition, instance } = view;
      if (definition.checkpoint?.kind === 'checkpoint') {
        return new AskingCheckpoint(instance as CheckpointCode, definition);
      }
      if (!definition.checkpoint) return itself(view);
      const place = { materialization: id, round: rounds?.get(id) ?? 0 };
      return new AskingSignal(instance as SignalCode, definition, this.tokens, place);
    };
  }
}

function itself({ instance }: AssetView): Executable {
  return instance as Executable;
}

/** The versions that people saw, by dependency. Undefined: what is declared now is not what they saw. */
function pinnedBy({ view, wants, decision }: Decided): readonly PinnedDependency[] | undefined {
  if (decision.upstreams !== view.upstreams) return undefined;
  const left = new Set(decision.pins);
  const dependencies: PinnedDependency[] = [];
  for (const { of } of wants) {
    const { dependency, mapping, partitioned } = of;
    if (dependency.ordering) continue;
    const seen = decision.pins.filter(
      ({ alias, asset }) => alias === dependency.alias && asset === dependency.upstream,
    );
    const least = dependency.optional || dependency.mapping.allowMissing ? 0 : 1;
    if (mapping.cardinality === 'one' && (seen.length < least || seen.length > 1)) return undefined;
    for (const pin of seen) left.delete(pin);
    const pins = seen.map((pin): Pin => {
      const partition = partitioned ? pin.partition : undefined;
      return { asset: pin.asset, partition, head: headOf(pin) };
    });
    dependencies.push({ dependency, cardinality: mapping.cardinality, pins });
  }
  return left.size === 0 ? dependencies : undefined;
}

function headOf({
  partition,
  materialization,
  dataVersion,
  value,
  completedAt,
}: ApprovalInput): HeadRecord | undefined {
  if (materialization === null) return undefined;
  return {
    ...{ partition, materialization, dataVersion, value, completedAt },
    ...{ codeVersion: null, inputs: null, upstreams: null, invalidated: false, failed: false, active: null },
  };
}
