// A session: what is missing or stale is made, and the reviewer is asked for each decision that it waits for.
import { setTimeout as pause } from 'node:timers/promises';
import {
  FlowStoneError,
  type ApprovalRecord,
  type FlowStoneService,
  type Review,
  type RunHandle,
  type ValuePreview,
} from 'nestjs-flowstone';
import { Drafts } from '../assets/drafts.asset.js';
import { Scores } from '../assets/scores.asset.js';
import { ARTICLE_KEYS } from '../assets/partitions.js';
import { ReviewedArticles } from '../assets/reviewed-articles.asset.js';
import type { Answer, Reviewer } from './reviewer.js';

/** FlowStone believes what it is told of people: this program knows its user by the login, who is an editor thereby. */
const ROLES = ['editor'];
const MS_UNTIL_ASKED_ANEW = 200;

export class Session {
  /** Approvals that the reviewer has left open. */
  private readonly left = new Set<number>();
  private stopped = false;

  constructor(
    private readonly flowstone: FlowStoneService,
    private readonly reviewer: Reviewer,
    private readonly out: NodeJS.WriteStream,
  ) {}

  /** Resolves when all is published, or what is left waits for decisions; rejects as a run does. */
  async hold(): Promise<void> {
    const { flowstone, reviewer, out } = this;
    const request = { partitions: 'all', requestedBy: reviewer.by } as const;
    const waiting = await this.openRuns();
    // Requests for a decision on texts that are worded otherwise by now are void, and made anew.
    if (waiting.length > 0) await (await flowstone.materialize(Scores, request)).wait();
    for (const run of waiting) {
      out.write(`Going on with run ${run.id}.\n`);
      await this.follow(run);
    }
    if (this.left.size === 0) await this.follow(await flowstone.materialize('*', request));
  }

  /** Runs of earlier sessions that did not end, oldest first: FlowStone has taken them up at its start. */
  private async openRuns(): Promise<RunHandle[]> {
    const { items } = await this.flowstone.runs({ status: ['planning', 'running'] });
    return items.map(({ id }) => this.flowstone.run(id)).toReversed();
  }

  /** Asks until the run has ended, or waits for nothing but what was left open. */
  private async follow(run: RunHandle): Promise<void> {
    const { approvals } = this.flowstone;
    for (;;) {
      await run.wait({ until: 'settled' });
      const { items } = await approvals.list({ run: run.id, asset: ReviewedArticles });
      const asked = items.filter(({ id }) => !this.left.has(id)).sort(inOrderOfIssue);
      if (asked.length === 0) {
        // One that was void is asked anew: between the two looks it may have been neither open nor settled.
        const { status, counts } = await run.view();
        if (status !== 'running' && counts.waiting_approval === items.length) return;
        continue;
      }
      const reviews = await Promise.all(asked.map(({ id }) => approvals.get(id)));
      // What is asked of a text that is no longer the newest is asked anew in a moment.
      const current = reviews.filter(({ inputs }) => !inputs.some(({ outdated }) => outdated));
      if (current.length === 0) await pause(MS_UNTIL_ASKED_ANEW);
      for (const [index, review] of current.entries()) await this.ask(review, index + 1, current.length);
    }
  }

  private async ask(review: Review<ValuePreview>, number: number, of: number): Promise<void> {
    const { id, partition } = review.approval;
    const draft = review.inputs.find(({ alias }) => alias === 'article')!;
    let article = await this.flowstone.load(Drafts, { partition, version: draft.materialization! });
    let problems: readonly string[] = [];
    for (;;) {
      const question = { review, article, number, of, problems };
      const answer: Answer = this.stopped ? { kind: 'leave' } : await this.reviewer.answer(question);
      if (answer.kind === 'stop') this.stopped = true;
      if (answer.kind === 'stop' || answer.kind === 'leave') return this.leave(id);
      try {
        await this.decide(id, answer);
        return void this.out.write(`${partition}: ${DONE[answer.kind]} by ${this.reviewer.by}\n`);
      } catch (error) {
        if (!(error instanceof FlowStoneError)) throw error;
        // Somebody else was faster, or the text has changed: what is open now is asked in the next round.
        if (error.code === 'FLOWSTONE_APPROVAL_CONFLICT') return void this.out.write(`${error.message}\n`);
        if (error.code !== 'FLOWSTONE_APPROVAL_INVALID' || answer.kind !== 'modify') throw error;
        article = answer.value;
        problems = error.context['problems'] as readonly string[];
      }
    }
  }

  private leave(id: number): void {
    this.left.add(id);
  }

  private async decide(id: number, answer: Extract<Answer, { kind: keyof typeof DONE }>): Promise<void> {
    const { approvals } = this.flowstone;
    const person = { by: this.reviewer.by, roles: ROLES, ...(answer.reason && { reason: answer.reason }) };
    if (answer.kind === 'approve') await approvals.approve(id, person);
    else if (answer.kind === 'reject') await approvals.reject(id, person);
    else await approvals.modify(id, { ...answer.value }, person);
  }
}

function inOrderOfIssue(a: ApprovalRecord, b: ApprovalRecord): number {
  return ARTICLE_KEYS.indexOf(a.partition) - ARTICLE_KEYS.indexOf(b.partition);
}

const DONE = { approve: 'approved', modify: 'edited', reject: 'rejected' } as const;
