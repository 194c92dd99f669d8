// What the words after `npm start --` mean. What is then done stands in main.ts.
import { parseArgs } from 'node:util';

/** Which assets, as FlowStone's selection language says it, and one partition of them or all. */
export interface Selection {
  target: string;
  partition: string | undefined;
}

/** What to do: build values, say what would be built, print a stored value, or explain itself. */
export type Command =
  | { kind: 'help' }
  | ({ kind: 'build'; autoApprove: boolean } & Selection)
  | ({ kind: 'plan' } & Selection)
  | { kind: 'print'; asset: string; partition: string | undefined; json: boolean };

export const HELP = `Three million flights as a graph of assets: raw_flights > cleaned_flights > daily_delays,
monthly_network, monthly_punctuality, quality_review, airport_ranking, monthly_report.

  npm start                                   make everything that is missing or stale
  npm start -- --partition 2001-03-04         one day (or month: 2001-03) and what it needs
  npm start -- --select 'SELECTION'           some assets: names, globs (daily_*), group:figures,
                                              +x (with upstream), x+ (with downstream), and, or, not
  npm start -- --auto-approve                 ask nobody where a month is out of the usual; without a
                                              terminal nobody is asked either. Goes with the two above
  npm start -- --plan                         say what would be made and why; goes with the first two
  npm start -- --print ASSET                  print a stored value; with --partition KEY for one of its
                                              partitions, with --json as one JSON line
  npm start -- --help                         this text

Records and values lie in .flowstone/ of the project's root; the environment variable FLOWSTONE_DIRECTORY
names another directory. Exit codes: 0 done, 1 failed, 2 asked for something impossible, 130 interrupted.`;

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

/** Throws {@link UsageError}. */
export function parseCommandLine(args: readonly string[]): Command {
  const { help, select, partition, plan, print, json, 'auto-approve': autoApprove } = optionsOf(args);
  if (help) return { kind: 'help' };
  if (print !== undefined) {
    if (select !== undefined || plan || autoApprove) {
      throw new UsageError('--print goes with --partition and --json only');
    }
    return { kind: 'print', asset: print, partition, json };
  }
  if (json) throw new UsageError('--json goes with --print ASSET');
  if (plan && autoApprove) throw new UsageError('--auto-approve does not go with --plan');
  const selection = { target: select ?? targetFor(partition), partition };
  return plan ? { kind: 'plan', ...selection } : { kind: 'build', autoApprove, ...selection };
}

/** Everything; or, where a partition is named, the last asset that has partitions of its kind. */
function targetFor(partition: string | undefined): string {
  if (partition === undefined) return '*';
  return /^\d{4}-\d{2}$/.test(partition) ? 'monthly_report' : 'daily_delays';
}

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        select: { type: 'string' },
        partition: { type: 'string' },
        plan: { type: 'boolean', default: false },
        print: { type: 'string' },
        json: { type: 'boolean', default: false },
        'auto-approve': { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
