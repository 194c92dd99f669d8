// `flowstone.approvals`: what waits for people, what it is about, and what they do with it.
import { parseDuration } from '../assets/duration.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { ApprovalCommand } from '../ledger/approval.machine.js';
import type { ApprovalAct, ApprovalInput, ApprovalRecord } from '../ledger/approval.records.js';
import { approvalUnknown } from '../ledger/approval.refusals.js';
import type { Ledger, Page } from '../ledger/ledger.port.js';
import type { JsonValue } from '../ledger/records.js';
import { requireOptions, requireStorable } from '../request.options.js';
import {
  APPROVALS,
  APPROVALS_PAGE,
  APPROVE,
  ESCALATE,
  EXTEND,
  PERSON,
  type ActingPerson,
  type ApprovalsFilter,
  type ApprovalsPage,
  type ApproveOptions,
  type EscalateOptions,
  type ExtendOptions,
} from './approval.requests.js';
import { definitionIn, jsonOf, listOf, type DeskParts } from './desk.parts.js';
import { modificationProblems } from './modification.js';
import { differencesOf, type ValueDifference } from './value.diff.js';

/** One input of an approval, with a look at its value. */
export interface ReviewedInput<P> extends ApprovalInput {
  /** Its beginning; null: it has no value, or that cannot be loaded (`problem` says why). */
  readonly preview: P | null;
  readonly problem: string | null;
  /** The version of it that the checkpoint consumed the last time it came to a value, if it did. */
  readonly previous: { readonly materialization: number; readonly dataVersion: string } | null;
  /**
   * Whether its newest version is another one by now. An open approval is void within a moment then, unless it is declared
   * with `pinInputs: false`.
   */
  readonly outdated: boolean;
  /**
   * In what it differs from that version, as far as the two looks show; null: there is none, or it cannot be loaded any
   * more.
   */
  readonly differences: readonly ValueDifference[] | null;
}

/** An approval with all that a reviewer looks at. */
export interface Review<P> {
  readonly approval: ApprovalRecord;
  readonly inputs: readonly ReviewedInput<P>[];
  /** In what the modification that is proposed, or was decided, differs from the value that would be passed through. */
  readonly modification: readonly ValueDifference[] | null;
  /** What happened to it, oldest first, and to those before it that were superseded. */
  readonly history: readonly ApprovalAct[];
}

export interface ApprovalDeskParts<P> extends DeskParts {
  readonly ledger: Pick<Ledger, 'approvals' | 'consumed' | 'heads'>;
  /** A look at a version, with its JSON for comparing. */
  preview(version: {
    asset: string;
    partition: string;
    materialization: number;
  }): Promise<{ shown: P; json: JsonValue }>;
}

/** Inputs of an approval that are looked at. */
const MOST_LOOKS = 20;
/** Superseded ones before it whose history is told. */
const MOST_BEFORE = 20;

/**
 * Approvals: requests of checkpoints for a decision. Everything a person does names who it is (`by`), and is kept with
 * that. An approval is decided once: whoever comes later gets FLOWSTONE_APPROVAL_CONFLICT, which names who was first.
 */
export class Approvals<P = unknown> {
  constructor(private readonly parts: () => ApprovalDeskParts<P>) {}

  /** Open ones by deadline, or what the filter says. */
  async list(filter: ApprovalsFilter = {}, page: ApprovalsPage = {}): Promise<Page<ApprovalRecord>> {
    requireOptions('approvals.list()', filter, APPROVALS);
    requireOptions('A page of approvals', page, APPROVALS_PAGE);
    return listOf(this.#parts(), 'checkpoint', filter, page);
  }

  /**
   * One with what it is about: inputs as they were when it was opened, in what they differ from the last time, what
   * happened to it.
   * @throws FlowStoneError FLOWSTONE_APPROVAL_UNKNOWN
   */
  async get(id: number): Promise<Review<P>> {
    const approval = await this.#require(id);
    const { ledger } = this.#parts();
    const inputs = await ledger.approvals.inputs(id);
    const [before, newest] = await Promise.all([this.#consumedBefore(approval), this.#newest(inputs)]);
    const looks = inputs.map(async (input, at) => ({
      ...(await this.#look(input, before, at < MOST_LOOKS)),
      outdated: newest(input) !== input.dataVersion,
    }));
    const reviewed = await Promise.all(looks);
    return {
      approval,
      inputs: reviewed.map(({ json: _, ...input }) => input),
      modification: approval.proposal && differencesOf(reviewed[0]?.json ?? null, approval.proposal.value),
      history: await this.#history(approval),
    };
  }

  /** Agrees. With a quorum it may take others as well: `status` of the answer says whether it is decided. */
  async approve(id: number, options: ApproveOptions): Promise<ApprovalRecord> {
    requireOptions('approvals.approve()', options, APPROVE, ['by']);
    return this.#command(id, { kind: 'approve', ...who(options), proposal: options.proposal ?? null });
  }

  /** Does not agree: the checkpoint fails, or does what its `onReject` says. */
  async reject(id: number, options: ActingPerson): Promise<ApprovalRecord> {
    requireOptions('approvals.reject()', options, PERSON, ['by']);
    return this.#command(id, { kind: 'reject', ...who(options) });
  }

  /**
   * Agrees to another value: plain JSON as the checkpoint's `modification` declares it.
   * @throws FlowStoneError FLOWSTONE_APPROVAL_INVALID with each problem (`context.problems`); the approval stays open
   */
  async modify(id: number, value: JsonValue, options: ActingPerson): Promise<ApprovalRecord> {
    requireOptions('approvals.modify()', options, PERSON, ['by']);
    const approval = await this.#require(id);
    const plain = jsonOf(value);
    if (plain === undefined) throw invalid('A modification is a value of plain JSON.', { approval: id });
    const { modification } = definitionIn(this.#parts(), approval.asset, 'value');
    if (modification) requireValid(approval, await modificationProblems(modification, plain));
    return this.#command(id, { kind: 'modify', ...who(options), value: plain });
  }

  /** Opens it to more people, by the next step of its chain or as `to` says; those it was open to may still decide. */
  async escalate(id: number, options: EscalateOptions): Promise<ApprovalRecord> {
    requireOptions('approvals.escalate()', options, ESCALATE, ['by']);
    const { to } = options;
    const audience = to ? { users: to.users ?? [], roles: to.roles ?? [] } : null;
    return this.#command(id, { kind: 'escalate', ...who(options), to: audience });
  }

  /** Moves its deadline on. */
  async extend(id: number, options: ExtendOptions): Promise<ApprovalRecord> {
    requireOptions('approvals.extend()', options, EXTEND, ['by']);
    const milliseconds = options.for === undefined ? null : parseDuration(options.for);
    return this.#command(id, { kind: 'extend', ...who(options), for: milliseconds });
  }

  /** Says something about it, also once it is decided. */
  async comment(id: number, text: string, options: ActingPerson): Promise<ApprovalRecord> {
    requireOptions('approvals.comment()', options, PERSON, ['by']);
    requireStorable('a comment', [text]);
    if (text.trim() === '') throw invalid('A comment says nothing. Write a text.', {});
    return this.#command(id, { kind: 'comment', ...who(options), text });
  }

  async #command(id: number, command: ApprovalCommand): Promise<ApprovalRecord> {
    const parts = this.#parts();
    if (!isId(id)) throw approvalUnknown(id);
    const { approval, rings } = await parts.ledger.approvals.command(id, command);
    parts.changed(approval.run, rings);
    return approval;
  }

  async #require(id: number): Promise<ApprovalRecord> {
    const approval = isId(id) ? await this.#parts().ledger.approvals.approval(id) : undefined;
    if (!approval) throw approvalUnknown(id);
    return approval;
  }

  async #look(
    input: ApprovalInput,
    before: ReadonlyMap<string, { materialization: number; dataVersion: string }>,
    looks: boolean,
  ): Promise<Omit<ReviewedInput<P>, 'outdated'> & { readonly json: JsonValue }> {
    const { asset, partition, materialization, dataVersion } = input;
    const previous = before.get(JSON.stringify([asset, partition])) ?? null;
    const nothing = { ...input, preview: null, problem: null, previous, differences: null, json: null };
    if (!looks || materialization === null || input.value?.io == null) return nothing;
    const parts = this.#parts();
    try {
      const { shown, json } = await parts.preview({ asset, partition, materialization });
      const same = previous?.dataVersion === dataVersion;
      const former =
        previous && !same
          ? await parts.preview({ asset, partition, materialization: previous.materialization }).catch(() => undefined)
          : undefined;
      const differences = same ? [] : former ? differencesOf(former.json, json) : null;
      return { ...nothing, preview: shown, differences, json };
    } catch (error) {
      return { ...nothing, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The data version that each input has now; null: none. */
  async #newest(inputs: readonly ApprovalInput[]): Promise<(input: ApprovalInput) => string | null> {
    const partitions = new Map<string, string[]>();
    for (const { asset, partition } of inputs) partitions.set(asset, [...(partitions.get(asset) ?? []), partition]);
    const heads = await this.#parts().ledger.heads(
      Array.from(partitions, ([asset, keys]) => ({ asset, partitions: keys })),
    );
    const byAsset = new Map([...partitions.keys()].map((asset, index) => [asset, heads[index]!]));
    return ({ asset, partition }) => byAsset.get(asset)!.get(partition)?.dataVersion ?? null;
  }

  /** What the newest value of the checkpoint was made of. */
  async #consumedBefore({ asset, partition }: ApprovalRecord) {
    const { ledger } = this.#parts();
    const [heads] = await ledger.heads([{ asset, partitions: [partition] }]);
    const head = heads!.get(partition)?.materialization;
    const consumed = head == null ? [] : ((await ledger.consumed([head])).get(head) ?? []);
    return new Map(
      consumed.flatMap((input): [string, { materialization: number; dataVersion: string }][] => {
        if ('removed' in input) return [];
        const { materialization, dataVersion } = input;
        return [[JSON.stringify([input.asset, input.partition]), { materialization, dataVersion }]];
      }),
    );
  }

  async #history(approval: ApprovalRecord): Promise<readonly ApprovalAct[]> {
    const { approvals } = this.#parts().ledger;
    const acts: ApprovalAct[] = [...(await approvals.acts(approval.id))];
    let { previous } = approval;
    for (let count = 0; previous !== null && count < MOST_BEFORE; count++) {
      acts.unshift(...(await approvals.acts(previous)));
      previous = (await approvals.approval(previous))?.previous ?? null;
    }
    return acts;
  }

  #parts(): ApprovalDeskParts<P> {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}

function who({ by, roles = [], reason }: ActingPerson): {
  by: string;
  roles: readonly string[];
  reason: string | null;
} {
  requireStorable('by and reason', [by, reason]);
  return { by, roles, reason: reason ?? null };
}

function requireValid({ id, asset }: ApprovalRecord, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const message = `The modification of approval ${id} is no value of ${asset}: ${problems.join('; ')}. Correct it: the approval is still open.`;
  throw invalid(message, { approval: id, problems });
}

function invalid(message: string, context: Readonly<Record<string, unknown>>): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_APPROVAL_INVALID', message, { context });
}

function isId(id: number): boolean {
  return Number.isSafeInteger(id) && id > 0;
}
