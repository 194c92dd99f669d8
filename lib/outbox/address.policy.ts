// Where requests may go that leave the system: to public addresses, and to what the application allows besides.
import { BlockList, isIP, isIPv6 } from 'node:net';

// The IANA registries of special-purpose addresses (RFC 6890 and its successors), multicast, what is reserved.
const NOT_PUBLIC_4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
];
// Of version 6 only what is global unicast, without what reaches addresses of version 4 (6to4, Teredo), protocols and examples.
// Mapped ones, NAT64, local and link-local ones and multicast are not in it.
const GLOBAL_6 = ['2000::/3'];
const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'];

const notPublic4 = blocks(NOT_PUBLIC_4);
const global6 = blocks(GLOBAL_6);
const notPublic6 = blocks(NOT_PUBLIC_6);

/** Whether an address is one of the public internet: no host of ours, of its network or of its provider. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic4.check(address);
    case 6:
      return global6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6');
    default:
      return false;
  }
}

/** What may be asked beside public addresses. */
export class AddressPolicy {
  readonly #hosts = new Set<string>();
  readonly #addresses: BlockList;

  /**
   * @param allow names as `internal.example`, on one port as `internal.example:8443`, addresses, and blocks of addresses
   *   as `10.0.0.0/8`
   * @throws TypeError that completes "allow must be", naming the first that is none of these
   */
  constructor(allow: readonly string[]) {
    const addressed: string[] = [];
    for (const entry of allow) {
      if (isIP(entry) || isBlock(entry)) addressed.push(entry);
      else if (isHost(entry)) this.#hosts.add(entry.toLowerCase());
      else throw new TypeError(`names, names with a port, addresses or blocks of addresses, which '${entry}' is not`);
    }
    this.#addresses = blocks(addressed);
  }

  /** Whether this address may be connected to, which the host of a request was resolved to. */
  permits(url: URL, address: string): boolean {
    const host = hostOf(url);
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    if (this.#hosts.has(host) || this.#hosts.has(`${host}:${port}`)) return true;
    return isPublicAddress(address) || this.#addresses.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}

/** The host of a URL as connections want it: an address of version 6 without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function blocks(all: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of all) {
    const [address = '', bits] = block.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isBlock(entry: string): boolean {
  const [, address = '', bits] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

function isHost(entry: string): boolean {
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/i.test(entry);
}
