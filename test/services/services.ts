// Where tests and benches get a PostgreSQL database, a Redis or an S3 server; the broker beside this file starts them.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A database of a test's own. */
export interface FreshDatabase {
  readonly url: string;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** An empty PostgreSQL database that no other test uses; drop it in `afterAll`. Starts the server if need be. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const server = await serviceUrl('postgres');
  const name = `flowstone_test_${randomBytes(8).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** URL of a Redis server, shared by all tests of the run: use key names of your own. Starts it if need be. */
export function redisUrl(): Promise<string> {
  return serviceUrl('redis');
}

/** URL of an S3 server, shared by all tests of the run: `buckets.ts` makes buckets on it. Starts it if need be. */
export function s3Url(): Promise<string> {
  return serviceUrl('s3');
}

async function administer(server: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function serviceUrl(service: 'postgres' | 'redis' | 's3'): Promise<string> {
  const broker = process.env['FLOWSTONE_TEST_SERVICES'];
  if (broker === undefined) throw new Error('No services: run this through jest or "npm run bench".');
  const response = await fetch(`${broker}/${service}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
