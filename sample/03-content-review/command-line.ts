// What the words after `npm run review --` mean. What is then done stands in main.ts.
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';

/** How decisions are made: by a person at the terminal, by none (all are approved), or by a file. */
export type Decider = { kind: 'person' } | { kind: 'approve' } | { kind: 'file'; path: string };

export type Command = { kind: 'help' } | { kind: 'list' } | { kind: 'review'; decider: Decider; by: string };

export const HELP = `Notices of films: drafted from records, scored, reviewed where the score is low, published.

  npm run review                          draft, and ask for a decision on each notice that scores low
  npm run review -- --auto-approve        ask nobody: approve them as they are
  npm run review -- --decisions FILE      ask nobody: decide as a JSON file says, leave open what it does not name
  npm run review -- --by NAME             who decides; default: who is logged in
  npm run review -- --list                what waits for a decision
  npm run review -- --help                this text

Answers may also come through a pipe, a line each; where it ends, what is left stays open. Records lie in
.flowstone-review/ of the project's root, pages in published/ below that; the environment variable
FLOWSTONE_DIRECTORY names another directory. Exit codes: 0 done (also where something stays open), 1 failed, 2 asked
for something impossible.`;

/** The command line, or a file that it names, is wrong; the message says how. */
export class UsageError extends Error {}

/** Throws {@link UsageError}. */
export function parseCommandLine(args: readonly string[]): Command {
  const { help, list, by, decisions: path, 'auto-approve': approve } = optionsOf(args);
  if (help) return { kind: 'help' };
  if (list) return { kind: 'list' };
  if (approve && path !== undefined) throw new UsageError('--auto-approve and --decisions do not go together');
  if (by.trim() === '') throw new UsageError('--by needs a name');
  const decider: Decider = path !== undefined ? { kind: 'file', path } : { kind: approve ? 'approve' : 'person' };
  return { kind: 'review', decider, by };
}

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        list: { type: 'boolean', default: false },
        'auto-approve': { type: 'boolean', default: false },
        decisions: { type: 'string' },
        by: { type: 'string', default: loggedIn() },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Containers may run as a user that has no name. */
function loggedIn(): string {
  try {
    return userInfo().username;
  } catch {
    return 'editor';
  }
}
