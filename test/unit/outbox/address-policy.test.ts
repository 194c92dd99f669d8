// Which addresses may be asked.
import { describe, expect, it } from '@jest/globals';
import { AddressPolicy, isPublicAddress } from '../../../lib/outbox/address.policy.js';

describe('a public address', () => {
  it.each([
    ...['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '223.255.255.255'],
    ...['2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '2001:4860:4860::8888'],
  ])('is %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1'],
    ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1'],
    ...['64:ff9b::808:808', '64:ff9b:1::1', '100::1', '2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:db8::1'],
    ...['2002:7f00:1::', '3fff::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1'],
    ...['localhost', '', '1.2.3', '0x7f.1'],
  ])('is not %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('what may be asked besides', () => {
  const permits = (allow: readonly string[], url: string, address: string) =>
    new AddressPolicy(allow).permits(new URL(url), address);

  it('is a name, on any port, whatever its address', () => {
    expect(permits(['Hooks.internal'], 'http://hooks.internal:81/', '10.0.0.1')).toBe(true);
    expect(permits(['hooks.internal'], 'http://HOOKS.internal/', '::1')).toBe(true);
    expect(permits(['hooks.internal'], 'http://other.internal/', '10.0.0.1')).toBe(false);
    expect(permits(['hooks.internal'], 'http://a.hooks.internal/', '10.0.0.1')).toBe(false);
  });

  it('is a name on one port, also the one that a URL does not name', () => {
    expect(permits(['hooks.internal:8443'], 'https://hooks.internal:8443/', '10.0.0.1')).toBe(true);
    expect(permits(['hooks.internal:8443'], 'https://hooks.internal/', '10.0.0.1')).toBe(false);
    expect(permits(['hooks.internal:443'], 'https://hooks.internal/', '10.0.0.1')).toBe(true);
    expect(permits(['hooks.internal:80'], 'http://hooks.internal/', '10.0.0.1')).toBe(true);
    expect(permits(['hooks.internal:443'], 'http://hooks.internal/', '10.0.0.1')).toBe(false);
  });

  it('is an address or a block of addresses, whatever the name', () => {
    expect(permits(['10.0.0.0/8'], 'http://any/', '10.20.30.40')).toBe(true);
    expect(permits(['10.0.0.0/8'], 'http://any/', '11.0.0.1')).toBe(true);
    expect(permits(['10.0.0.0/8'], 'http://any/', '172.16.0.1')).toBe(false);
    expect(permits(['127.0.0.1'], 'http://any/', '127.0.0.1')).toBe(true);
    expect(permits(['127.0.0.1'], 'http://any/', '127.0.0.2')).toBe(false);
    expect(permits(['fd00::/8'], 'http://any/', 'fd12::1')).toBe(true);
    expect(permits(['fd00::/8'], 'http://any/', 'fe80::1')).toBe(false);
  });

  it.each(['', 'http://host', 'host/path', '10.0.0.0/33', 'fd00::/129', 'host:port', 'a b', '*'])(
    'is not %j',
    (entry) => {
      expect(() => new AddressPolicy([entry])).toThrow(TypeError);
    },
  );
});
