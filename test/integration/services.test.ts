// The servers that integration tests stand on: that the set-up brings them up, on any machine.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startPrivatePostgres, startPrivateRedis } from '../services/server.mjs';
import { freshDatabase, redisUrl } from '../services/services.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('test services', () => {
  it('give each caller an empty PostgreSQL 15 or newer of its own', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    try {
      expect(one.url).not.toBe(other.url);
      await query(one.url, 'CREATE TABLE mine (id int)');
      expect(await query(other.url, `SELECT to_regclass('mine') AS mine`)).toEqual([{ mine: null }]);
      const [version] = await query(one.url, `SELECT current_setting('server_version_num')::int >= 150000 AS recent`);
      expect(version).toEqual({ recent: true });
    } finally {
      await Promise.all([one.drop(), other.drop()]);
    }
  });

  it('remove a dropped database although someone is still connected to it', async () => {
    const database = await freshDatabase();
    const lingering = new Client({ connectionString: database.url });
    await lingering.connect();
    const failed = new Promise((resolve) => lingering.on('error', resolve));
    const ended = new Promise<void>((resolve) => lingering.on('end', resolve));
    await database.drop();
    expect(await failed).toMatchObject({ code: '57P01' });
    await ended;
    await expect(query(database.url, 'SELECT 1')).rejects.toThrow('does not exist');
  });

  it('bring up Redis', async () => {
    const { hostname, port } = new URL(await redisUrl());
    const socket = connect(Number(port), hostname);
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toBe('+PONG\r\n');
  }, 180_000);

  it('crash a private PostgreSQL, which then knows what it had committed', async () => {
    const server = await startPrivatePostgres(['fsync=off']);
    try {
      await query(server.url, 'CREATE TABLE kept (id int)');
      await server.down('SIGQUIT');
      await expect(query(server.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await server.up();
      expect(await query(server.url, 'SELECT id FROM kept')).toEqual([]);
    } finally {
      await server.stop();
    }
  }, 60_000);

  it('crash a private Redis, which then is there again', async () => {
    const server = await startPrivateRedis();
    try {
      await server.down('SIGKILL');
      await server.up();
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      socket.write('DBSIZE\r\n');
      const [answer] = await once(socket, 'data');
      socket.destroy();
      expect(String(answer)).toBe(':0\r\n');
    } finally {
      await server.stop();
    }
  }, 180_000);
});
