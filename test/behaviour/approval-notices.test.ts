// Notifiers of approvals: what they are told, at least once, whoever has decided and wherever.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  ApprovalNotifier,
  Asset,
  Checkpoint,
  DependsOn,
  LogNotifier,
  WebhookNotifier,
  verifyWebhook,
  type ApprovalNotice,
  type AssetContext,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset()
class Draft {
  execute(): number {
    return 1;
  }
}

@Checkpoint({
  message: 'Good?',
  assignees: { users: ['anna'] },
  escalation: [{ after: '200ms', to: { roles: ['boss'] }, notify: ['boss@example.com'] }],
})
@DependsOn({ draft: Draft })
class Reviewed {
  onApprove(_context: AssetContext, { draft }: { draft: number }): number {
    return draft;
  }
}

const told: ApprovalNotice[] = [];
let failures = 0;

@Injectable()
class Mailer extends ApprovalNotifier {
  override async notify(notice: ApprovalNotice): Promise<void> {
    if (failures-- > 0) throw new Error('no mail today');
    told.push(notice);
  }
}

@Injectable()
class Pager extends ApprovalNotifier {
  readonly pages: string[] = [];
  override async notify({ kind }: ApprovalNotice): Promise<void> {
    this.pages.push(kind);
  }
}

let app: TestingModule;
let storage: TestStorage;

afterEach(async () => {
  await app.close();
  await storage.remove();
  told.length = 0;
  failures = 0;
});

const until = async (reached: () => boolean) => {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 20));
};
const kinds = () => told.map(({ kind }) => kind).sort();

describe.each(STORAGES)('notifiers on %s', (kind) => {
  it('are told who asks, of escalation and decision; one that fails is told again, others are not', async () => {
    storage = await testStorage(kind);
    failures = 1;
    const started = await startApp([Draft, Reviewed, Mailer, Pager], storage.options);
    app = started.app;
    const { flowstone } = started;
    const run = await flowstone.materialize(Reviewed, { requestedBy: 'zoe' });
    await run.wait({ until: 'settled' });
    await until(() => kinds().includes('escalated'));
    const [approval] = (await flowstone.approvals.list()).items;
    await flowstone.approvals.approve(approval!.id, { by: 'anna', reason: 'yes' });
    await until(() => told.length >= 3);
    expect(kinds()).toEqual(['approved', 'escalated', 'requested']);
    const of = (what: string) => told.find((notice) => notice.kind === what)!;
    expect(of('requested')).toMatchObject({ actor: 'zoe', approval: { message: 'Good?' }, notify: [] });
    expect(of('escalated')).toMatchObject({ actor: null, notify: ['boss@example.com'] });
    expect(of('approved')).toMatchObject({
      actor: 'anna',
      detail: { reason: 'yes' },
      approval: { status: 'approved' },
    });
    expect(new Set(told.map(({ id }) => id)).size).toBe(3);
    expect(app.get(Pager).pages.sort()).toEqual(['approved', 'escalated', 'requested']);
    await run.wait();
  });
});

it('a notifier is told by whoever works what was decided where nobody does', async () => {
  storage = await testStorage(DURABLE_STORAGES[0]);
  const worker = await startApp([Draft, Reviewed, Mailer], storage.options);
  const run = await worker.flowstone.materialize(Reviewed);
  await run.wait({ until: 'settled' });
  await until(() => told.length > 0);
  await worker.app.close();
  told.length = 0;
  const api = await startApp([Draft, Reviewed, Mailer], { ...storage.options, role: 'api' });
  const [approval] = (await api.flowstone.approvals.list()).items;
  await api.flowstone.approvals.approve(approval!.id, { by: 'anna' });
  await api.app.close();
  expect(kinds()).not.toContain('approved');
  ({ app } = await startApp([Draft, Reviewed, Mailer], storage.options));
  await until(() => kinds().includes('approved'));
});

it('without any, a log says who is to decide', async () => {
  const lines: string[] = [];
  const notifier = new LogNotifier({ log: (line: unknown) => void lines.push(String(line)) });
  storage = await testStorage('memory');
  const started = await startApp([Draft, Reviewed, Mailer], storage.options);
  app = started.app;
  const run = await started.flowstone.materialize(Reviewed);
  await run.wait({ until: 'settled' });
  await until(() => told.length > 0);
  for (const notice of told) await notifier.notify(notice);
  expect(lines[0]).toMatch(/^Approval \d+ of reviewed \(run \d+\) waits for anna.*: Good\?$/);
});

it('a webhook is told, signed, without the values', async () => {
  const secret = 'a secret of more than 16 characters';
  const requests: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      requests.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      // Once it is away.
      response.writeHead(requests.length === 1 ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const options = { url: `http://127.0.0.1:${port}/hook`, secret, allow: ['127.0.0.1'] };
  const hook = { provide: WebhookNotifier, useFactory: () => new WebhookNotifier(options) };
  storage = await testStorage('memory');
  const started = await startApp([Draft, Reviewed, hook], storage.options);
  app = started.app;
  await (await started.flowstone.materialize(Reviewed)).wait({ until: 'settled' });
  const requested = () => requests.filter(({ body }) => body.includes('"requested"'));
  await until(() => requested().length >= 2 || (requests.length >= 2 && requested().length >= 1));
  await new Promise((resolve) => server.close(resolve));
  const [{ headers, body }] = requested().slice(-1) as [(typeof requests)[number]];
  const verdict = verifyWebhook({ secret, headers, body });
  expect(verdict).toMatchObject({ genuine: true });
  expect(JSON.parse(body)).toMatchObject({
    ...{ topic: 'approval', kind: 'requested', actor: null, notify: [] },
    approval: { asset: 'reviewed', message: 'Good?', audience: { users: ['anna'] } },
  });
  expect(() => new WebhookNotifier({ ...options, secret: 'short' })).toThrow(/at least 16 characters/);
});

it('two of the same name are refused', async () => {
  storage = await testStorage('memory');
  ({ app } = await startApp([Draft], storage.options));
  class Other extends Pager {
    override get name(): string {
      return 'Mailer';
    }
  }
  await expect(startApp([Draft, Mailer, Other], { storage: 'memory' })).rejects.toMatchObject({
    code: 'FLOWSTONE_OPTIONS_INVALID',
    message: expect.stringContaining("'Mailer'"),
  });
});
