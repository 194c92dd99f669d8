// Parts of snapshots, against the rule by which PostgreSQL reads them.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { below, isSnapshot } from '../../../lib/ledger/sql/snapshot.js';

const saw = (snapshot: string, xid: bigint): boolean => {
  const [, xmax, open] = snapshot.split(':');
  return xid < BigInt(xmax!) && !open!.split(',').includes(String(xid));
};

const snapshots = fc
  .uniqueArray(fc.bigInt({ min: 3n, max: 60n }), { maxLength: 10 })
  .chain((open) => fc.tuple(fc.constant([...open].sort((a, b) => Number(a - b))), fc.bigInt({ min: 61n, max: 70n })))
  .map(([open, xmax]) => `${open[0] ?? xmax}:${xmax}:${open.join(',')}`);

describe('the part of a snapshot below a transaction', () => {
  it('is a snapshot that saw the same of what is below, and nothing else', () => {
    fc.assert(
      fc.property(snapshots, fc.bigInt({ min: 3n, max: 61n }), (snapshot, edge) => {
        const part = below(snapshot, edge);
        expect(isSnapshot(part)).toBe(true);
        for (let xid = 1n; xid < 80n; xid++) expect(saw(part, xid)).toBe(xid < edge && saw(snapshot, xid));
      }),
    );
  });
});

describe('a snapshot', () => {
  it.each(['10:20:', '10:20:10,15', '10:10:', '1:9223372036854775807:'])('is told in a text such as %j', (text) => {
    expect(isSnapshot(text)).toBe(true);
  });

  it.each([
    '',
    '10',
    '10:20',
    '20:10:',
    '0:10:',
    '10:20:9',
    '10:20:20',
    '10:20:12,12',
    '10:20:15,12',
    'a:b:',
    '1:9223372036854775808:',
  ])('is not told in %j', (text) => {
    expect(isSnapshot(text)).toBe(false);
  });
});
