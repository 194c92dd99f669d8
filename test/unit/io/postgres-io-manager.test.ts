// What needs no server: the options of the manager. What is stored stands in test/integration.
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  PostgresIoManager,
  type PostgresIoManagerOptions,
} from '../../../lib/io/managers/postgres/postgres.io-manager.js';

const make = (options: object) => new PostgresIoManager(options as PostgresIoManagerOptions);
const url = 'postgres://etl:canary@warehouse/facts';

describe('options of the manager on PostgreSQL', () => {
  it.each([
    { url },
    { url: 'postgresql:///facts?host=/var/run/postgresql', ssl: false, schema: 'values' },
    { dataSource: {}, schema: 'Values_2' },
  ])('such as %j are taken', (options) => {
    expect(() => make(options)).not.toThrow();
  });

  it.each([
    [{}, 'give it either url or dataSource'],
    [{ url, dataSource: {} }, 'give it either url or dataSource'],
    [{ url: 'postgres//etl:canary@warehouse/facts' }, 'its url must be one such as postgres://user@host/database'],
    [{ url: 'postgres://etl:canary@warehouse:port/facts' }, 'its url must be'],
    [{ url: 'mysql://etl:canary@warehouse/facts' }, 'its url must be'],
    [{ url: 5 }, 'its url must be'],
    [{ url, schema: 'a"b' }, 'its schema "a\\"b" is no plain name'],
    [{ url, shema: 'a' }, 'unknown option "shema" of the manager, did you mean "schema"?'],
    [{ dataSource: {}, ssl: true }, 'unknown option "ssl" of the manager'],
  ])('such as %j are refused, and nothing of a url is told', (options, words) => {
    const refusal = expect.objectContaining({
      code: 'FLOWSTONE_OPTIONS_INVALID',
      message: expect.stringContaining(words),
      context: { problems: [expect.stringContaining(words)] },
    });
    expect(() => make(options)).toThrow(refusal);
    try {
      make(options);
    } catch (error) {
      expect(inspect(error, { depth: Infinity })).not.toContain('canary');
    }
  });

  it('are shown to nobody who prints the manager', () => {
    expect(inspect(make({ url }), { depth: Infinity, showHidden: true })).not.toContain('canary');
  });
});
