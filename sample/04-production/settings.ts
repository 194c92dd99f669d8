// Where the servers of this sample are, and where its processes share values: from the environment.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { FlowStoneOptions } from 'nestjs-flowstone';

const ROOT = dirname(createRequire(import.meta.url).resolve('nestjs-flowstone/package.json'));

/** Values lie here; on several machines it would be a directory that all of them see. */
export const DIRECTORY = resolve(process.env.FLOWSTONE_DIRECTORY ?? join(ROOT, '.flowstone-production'));

/** A setting is missing; the message says how to give it. */
export class SettingsError extends Error {}

/** What one process of the application is told; the assets know nothing of it. Throws {@link SettingsError}. */
export function production(role: 'api' | 'worker'): FlowStoneOptions {
  return {
    role,
    storage: { url: required('DATABASE_URL', 'postgres://user:password@127.0.0.1:5432/database') },
    queue: { redis: required('REDIS_URL', 'redis://127.0.0.1:6379') },
    directory: DIRECTORY,
    namespace: 'flights',
  };
}

function required(name: string, example: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new SettingsError(`Set ${name}, for instance ${name}=${example}. See sample/04-production/README.md.`);
}
