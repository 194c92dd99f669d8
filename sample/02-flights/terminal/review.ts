// Decisions on months that are out of the usual: by a person at the terminal, or by nobody.
import { createInterface } from 'node:readline/promises';
import type { ApprovalRecord, FlowStoneService } from 'nestjs-flowstone';

/** Decides on one approval. Resolves to false where it is put off. */
export type Reviewer = (approval: ApprovalRecord) => Promise<boolean>;

/** Asks where there is somebody to ask, unless all is to be approved. */
export function reviewerFor(
  flowstone: FlowStoneService,
  { autoApprove }: { autoApprove: boolean },
  out: NodeJS.WriteStream,
): Reviewer {
  const unattended = autoApprove || !process.stdin.isTTY || !out.isTTY;
  return unattended ? approveAll(flowstone, out) : askPerson(flowstone, process.stdin, out);
}

function approveAll(flowstone: FlowStoneService, out: NodeJS.WriteStream): Reviewer {
  return async ({ id, message }) => {
    await flowstone.approvals.approve(id, { by: 'nobody', reason: 'approved unattended' });
    out.write(`${message} Approved unattended.\n`);
    return true;
  };
}

/** Asks on `out` and reads the answers from `input`. */
export function askPerson(
  flowstone: FlowStoneService,
  input: NodeJS.ReadableStream,
  out: NodeJS.WritableStream,
): Reviewer {
  const by = process.env.USER ?? process.env.USERNAME ?? 'somebody';
  return async ({ id, message }) => {
    const terminal = createInterface({ input, output: out });
    // Ctrl-C and Ctrl-D put it off.
    const left = new Promise<undefined>((resolve) => terminal.once('close', () => resolve(undefined)));
    const answer = (question: string): Promise<string | undefined> =>
      Promise.race([left, terminal.question(question).catch(() => undefined)]);
    const putOff = (): false => {
      out.write('\n');
      return false;
    };
    try {
      out.write(`${message}\n`);
      for (;;) {
        const choice = (await answer('[a]pprove  [r]eject  [l]ater > '))?.trim().toLowerCase()[0] ?? 'l';
        if (choice === 'l') return putOff();
        if (choice !== 'a' && choice !== 'r') continue;
        const reason = (await answer('reason (may be left out) > '))?.trim();
        if (reason === undefined) return putOff();
        const person = { by, ...(reason !== '' && { reason }) };
        if (choice === 'a') await flowstone.approvals.approve(id, person);
        else await flowstone.approvals.reject(id, person);
        return true;
      }
    } finally {
      terminal.close();
    }
  };
}
