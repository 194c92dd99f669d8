// One history of approvals: what is done to a ledger, and what the model says of it, which has to be the same all the time.
import { expect } from '@jest/globals';
import { FlowStoneError } from '../../lib/flowstone.errors.js';
import type { ApprovalCommand } from '../../lib/ledger/approval.machine.js';
import type { ApprovalRecord, ApprovalRule } from '../../lib/ledger/approval.records.js';
import type { ApprovalLedger, ApprovalPin } from '../../lib/ledger/approvals.port.js';
import type { Claim } from '../../lib/ledger/work.js';
import { attempt, type World } from '../conformance/ledger.fixture.js';
import { closings, ModelApproval, type Told } from './approval-model.js';

/** All times are multiples of this, ms, so that what real time adds does not matter. */
export const TICK = 10_000;
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  anna: [],
  bert: [],
  carl: ['boss'],
  dora: [],
  zoe: [],
};
export const PEOPLE = Object.keys(ROLES);
export const PROCESSES = ['one', 'two'];
/** The inputs of what asks; the second may be missing. */
export const INPUTS = ['a', 'd'];

export type Personal = Extract<ApprovalCommand, { by: string }>;
export type Step =
  | { readonly do: 'person'; readonly what: Personal }
  | { readonly do: 'race'; readonly who: readonly string[] }
  | { readonly do: 'pass'; readonly ticks: number }
  | { readonly do: 'fire' }
  | { readonly do: 'move'; readonly input: string; readonly version: string }
  | { readonly do: 'work'; readonly process: string; readonly how: 'well' | 'hand back' | 'retry' | 'die' | 'forsake' }
  | { readonly do: 'cancel' };

export class History {
  /** By the model's clock, ms. */
  #now = 0;
  #run = 0;
  readonly #versions = new Map<string, { id: number; dataVersion: string }>();
  /** Of each approval that was opened, by id, in order. */
  readonly #models = new Map<number, ModelApproval>();
  #latest = 0;

  constructor(
    private readonly world: World,
    private readonly rule: ApprovalRule,
    private readonly requestedBy: string,
    /** The same ledger, as another process has it. */
    private readonly beside: ApprovalLedger = world.ledger.approvals,
  ) {}

  get #approvals(): ApprovalLedger {
    return this.world.ledger.approvals;
  }

  get #model(): ModelApproval | undefined {
    return this.#models.get(this.#latest);
  }

  async begin(): Promise<void> {
    await this.world.register(...PROCESSES);
    await this.#move('a', 'x');
    const plan = [{ asset: 'b' }, { asset: 'c', upstreams: [0] }];
    this.#run = (await this.world.run(plan, { requestedBy: this.requestedBy })).id;
  }

  async take(next: Step): Promise<void> {
    switch (next.do) {
      case 'person':
        if (this.#model) await this.#person(next.what);
        break;
      case 'race':
        if (this.#model) await this.#race(next.who);
        break;
      case 'pass':
        await this.#pass(next.ticks);
        break;
      case 'fire':
        await this.#fire();
        break;
      case 'move':
        await this.#move(next.input, next.version);
        break;
      case 'work':
        await this.#work(next);
        break;
      case 'cancel':
        await this.world.ledger.cancelRun(this.#run, { actor: null, reason: null, grace: 60_000 });
        this.#model?.cancel();
    }
    await this.#compare();
  }

  /** Whatever happened, somebody decides, and the run ends. */
  async end(): Promise<void> {
    for (let round = 0; !(await this.#hasEnded()); round++) {
      // As far as the clock may have gone back, and then some: more is a run that is stuck.
      equal(round < 60, true);
      await this.#pass(6);
      await this.world.ledger.fireTimers();
      await this.#work({ do: 'work', process: 'two', how: 'well' });
      if (this.#model?.status === 'open') {
        const { audience: open } = this.#model;
        const by = PEOPLE.find(
          (one) => open.users.includes(one) || open.roles.some((role) => ROLES[one]!.includes(role)),
        );
        await this.#person({ kind: 'reject', by: by ?? 'anna', roles: ROLES[by ?? 'anna']!, reason: null });
      }
      await this.#compare();
    }
  }

  async judge(): Promise<void> {
    const { items } = await this.#approvals.approvals({ run: this.#run }, { limit: 1000, order: 'newest' });
    equal(
      items.map(({ id }) => id),
      [...this.#models.keys()].toReversed(),
    );
    equal(
      items.filter(({ status }) => status === 'open'),
      [],
    );
    // Of a materialization one decision stands, or its run was cancelled.
    equal(items.filter(({ decision, status }) => decision !== null && status !== 'superseded').slice(1), []);
    items.forEach(({ previous }, index) => equal(previous, items[index + 1]?.id ?? null));
    const kinds = await this.world.eventKinds(this.#run);
    const asked = kinds.filter((kind) => kind === 'approval.requested').length;
    equal(asked, items.length);
    for (const {
      id,
      votes,
      decision,
      audience: open,
      rule: { separationOfDuties },
    } of items) {
      const people = votes.map(({ by }) => by);
      equal(new Set(people).size, people.length);
      const everybody = open.users.length + open.roles.length === 0;
      for (const by of [...people, ...(decision?.by ? [decision.by] : [])]) {
        equal(everybody || open.users.includes(by) || open.roles.some((role) => ROLES[by]!.includes(role)), true);
      }
      equal(separationOfDuties && people.includes(this.requestedBy), false);
      equal(closings(await this.#acts(id)).length, this.#models.get(id)!.isDecided || decision === null ? 1 : 2);
    }
    const [b] = await this.world.statuses(this.#run);
    equal(kinds.filter((kind) => kind === 'materialization.success').length <= 2, true);
    const stands = items.find(({ status }) => status === 'approved' || status === 'modified');
    if (b === 'b: success') equal(stands !== undefined, true);
  }

  async #person(what: Personal): Promise<void> {
    const moved = this.#moved();
    const said = await this.#told(what);
    equal([what.kind, said], [what.kind, this.#model!.command(what, this.#now, moved)]);
  }

  /** Everybody at once: whoever is first, some order of them explains what each is told. */
  async #race(who: readonly string[]): Promise<void> {
    const proposal = this.#model!.proposal?.number ?? null;
    const commands = who.map((by, index): Personal => {
      const acting = { by, roles: ROLES[by]!, reason: null };
      return index % 3 === 0 ? { kind: 'approve', ...acting, proposal } : { kind: 'reject', ...acting };
    });
    const moved = this.#moved();
    const told = await Promise.all(
      commands.map((command, index) => this.#told(command, index % 2 === 0 ? this.#approvals : this.beside)),
    );
    const acts = await this.#acts(this.#latest);
    const explained = orders(commands.map((_, index) => index)).find((order) => {
      const tried = this.#model!.copy();
      const answers: Told[] = [];
      for (const index of order) answers[index] = tried.command(commands[index]!, this.#now, moved);
      if (!same(answers, told) || !same(tried.acts, acts)) return false;
      this.#models.set(this.#latest, tried);
      return true;
    });
    equal({ told, acts, explained: explained !== undefined }, { told, acts, explained: true });
  }

  async #told(command: Personal, approvals = this.#approvals): Promise<Told> {
    try {
      await approvals.command(this.#latest, command);
      return 'done';
    } catch (error) {
      if (!(error instanceof FlowStoneError)) throw error;
      const { winner, status } = error.context as { winner?: string | null; status?: string };
      const { status: stands, decision } = (await this.#approvals.approval(this.#latest))!;
      // A conflict names who was first.
      if (error.code === 'FLOWSTONE_APPROVAL_CONFLICT' && stands !== 'open') {
        equal({ winner: winner ?? null, status }, { winner: decision?.by ?? null, status: stands });
      }
      return error.code.replace('FLOWSTONE_APPROVAL_', '') as Told;
    }
  }

  async #pass(count: number): Promise<void> {
    this.#now += count * TICK;
    await this.world.pass(count * TICK);
    for (const process of PROCESSES) await this.world.ledger.renew(process);
  }

  /** From several processes at once, until nothing is due. */
  async #fire(): Promise<void> {
    await Promise.all([this.#approvals.fireDue(), this.beside.fireDue()]);
    for (let round = 0; round < 4; round++) await this.#approvals.fireDue();
    await this.world.ledger.fireTimers();
    if (!this.#model) return;
    const acts = await this.#acts(this.#latest);
    const found = [...this.#model.fired(this.#now, this.#moved())].find((model) => same(model.acts, acts));
    equal({ acts, found: found !== undefined }, { acts, found: true });
    this.#models.set(this.#latest, found!);
  }

  async #move(input: string, version: string): Promise<void> {
    await this.world.run([{ asset: input, forced: true }]);
    const [claim] = await this.world.claim('two', { assets: [input] });
    const dataVersion = `${input}${version}`;
    await this.world.succeed(claim!, { dataVersion });
    this.#versions.set(input, { id: claim!.id, dataVersion });
  }

  async #work({ process, how }: Extract<Step, { do: 'work' }>): Promise<void> {
    for (const claim of await this.world.claim(process, { assets: ['c'] })) await this.world.succeed(claim);
    const [claim] = await this.world.claim(process, { assets: ['b'] });
    if (!claim) return;
    const decided = (await this.#approvals.decided([claim.id])).get(claim.id)?.approval;
    equal(decided?.id, this.#model?.isDecided ? this.#latest : undefined);
    if (how === 'hand back') await this.world.settle({ ...attempt(claim), kind: 'handed_back' });
    else if (how === 'retry') await this.world.retry(claim, TICK);
    else if (how === 'die') await this.#die(process, claim);
    else if (decided && how === 'forsake') {
      equal(await this.#approvals.supersede(attempt(claim), decided.id), true);
      this.#model!.forsake();
      await this.world.settle({ ...attempt(claim), kind: 'handed_back' });
    } else if (decided) await this.#carryOut(claim, decided);
    else await this.#ask(claim);
  }

  async #ask(claim: Claim): Promise<void> {
    const pins = INPUTS.map((input): ApprovalPin => {
      const version = this.#versions.get(input);
      const { id: materialization = null, dataVersion = null } = version ?? {};
      return { alias: input, asset: input, partition: '', materialization, dataVersion };
    });
    const asked = await this.#approvals.ask(attempt(claim), {
      ...{ message: '?', rule: this.rule, inputs: this.#seen(), upstreams: 'a,d', pins },
    });
    if (asked.kind !== 'waiting') throw new Error(`it is ${asked.kind}`);
    this.#latest = asked.approval;
    this.#models.set(asked.approval, new ModelApproval(this.rule, this.requestedBy, this.#now, this.#seen()));
  }

  async #carryOut(claim: Claim, { status, id }: ApprovalRecord): Promise<void> {
    const { inputs, pins } = (await this.#approvals.decided([claim.id])).get(claim.id)!;
    equal(inputs, this.#models.get(id)!.versions);
    equal(pins.map(({ dataVersion }) => dataVersion).join(','), inputs);
    if (status === 'approved' || status === 'modified') await this.world.succeed(claim, { inputs });
    else await this.world.fail(claim);
  }

  /** Its process is lost; what it still says afterwards is not heard. */
  async #die(process: string, claim: Claim): Promise<void> {
    const other = PROCESSES.find((one) => one !== process)!;
    // Where the clock went back, it takes until it is where it was: the other one was not there for a lease yet.
    for (let beat = 0, rescued = 0; rescued === 0; beat++) {
      equal(beat < 300, true);
      await this.world.ledger.renew(other);
      this.#now += TICK;
      await this.world.pass(TICK);
      await this.world.ledger.renew(other);
      rescued = (await this.world.ledger.rescue(other)).count;
    }
    await this.world.register(process);
    const request = { message: 'too late', rule: this.rule, inputs: '', upstreams: '', pins: [] };
    equal(await this.#approvals.ask(attempt(claim), request), { kind: 'fenced' });
    if (this.#model) equal(await this.#approvals.supersede(attempt(claim), this.#latest), false);
  }

  #seen(): string {
    return INPUTS.map((input) => this.#versions.get(input)?.dataVersion ?? '').join(',');
  }

  #moved(): boolean {
    return this.#model !== undefined && this.#model.status === 'open' && this.#model.versions !== this.#seen();
  }

  async #acts(approval: number): Promise<string[]> {
    return (await this.#approvals.acts(approval)).map(({ kind, actor }) => `${kind} ${actor ?? '-'}`);
  }

  async #compare(): Promise<void> {
    if (!this.#model) return;
    const {
      status,
      audience: open,
      escalations,
      extensions,
      votes,
      proposal,
      decision,
    } = (await this.#approvals.approval(this.#latest))!;
    const seen = { status, audience: open, escalations, extensions, votes: votes.map(({ by }) => by) };
    const ended = { proposal: proposal?.number ?? null, winner: decision?.by ?? null };
    equal({ ...seen, ...ended }, this.#model.seen);
    equal(await this.#acts(this.#latest), this.#model.acts);
    const [b] = await this.world.statuses(this.#run);
    equal(b === 'b: waiting_approval', status === 'open');
  }

  async #hasEnded(): Promise<boolean> {
    return !['planning', 'running'].includes(await this.world.runStatus(this.#run));
  }
}

function equal(seen: unknown, wanted: unknown): void {
  expect(seen).toEqual(wanted);
}

function orders(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((first) => orders(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');
