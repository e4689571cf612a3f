/** IP addresses and ranges as octets, so that each spelling has one meaning. */

/** 4 octets of IPv4, or 16 of IPv6. An IPv4 address in IPv6 form (`::ffff:10.0.0.1`) is IPv4 here. */
export type IpOctets = readonly number[];

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;

/** Reads an address: dotted decimal without leading zeros, or IPv6, perhaps in brackets or with a zone. `undefined` for anything else. */
export function ipOctets(text: string): IpOctets | undefined {
  const bare = (text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text).replace(/%[A-Za-z0-9._-]+$/, '');
  if (!bare.includes(':')) return ipv4Octets(bare);
  const octets = ipv6Octets(bare);
  return octets && isMapped(octets) ? octets.slice(12) : octets;
}

function ipv4Octets(text: string): IpOctets | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  const parts = match.slice(1);
  const octets = parts.map(Number);
  return octets.every((octet, i) => octet <= 255 && String(octet) === parts[i]) ? octets : undefined;
}

function ipv6Octets(text: string): IpOctets | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, i) => groupOctets(half, i === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  const missing = 16 - head.length - tail.length;
  return missing >= 2 ? [...head, ...new Array<number>(missing).fill(0), ...tail] : undefined;
}

/** Octets of groups; the last of an address may be an IPv4 address. */
function groupOctets(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const octets: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    const ipv4 = isEnd && i === groups.length - 1 ? ipv4Octets(group) : undefined;
    if (ipv4) octets.push(...ipv4);
    else if (GROUP.test(group)) octets.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff);
    else return undefined;
  }
  return octets;
}

function isMapped(octets: IpOctets): boolean {
  return octets.slice(0, 10).every((octet) => octet === 0) && octets[10] === 0xff && octets[11] === 0xff;
}

export function isSameIp(one: IpOctets, other: IpOctets): boolean {
  return one.length === other.length && one.every((octet, i) => octet === other[i]);
}

/** A range of addresses: all that begin with the first `bits` of `network`. */
export interface IpRange {
  readonly network: IpOctets;
  readonly bits: number;
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or a single address, which is a range of one. */
export function ipRange(text: string): IpRange | undefined {
  const [host = '', bits, more] = text.split('/');
  const network = ipOctets(host);
  if (network === undefined || more !== undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const width = network.length * 8;
  const length = bits === undefined ? width : Number(bits);
  return length <= width ? { network, bits: length } : undefined;
}

export function isInRange(address: IpOctets, { network, bits }: IpRange): boolean {
  if (address.length !== network.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== network[i]) return false;
  const rest = bits & 7;
  return rest === 0 || ((address[whole]! ^ network[whole]!) & (0xff00 >> rest)) === 0;
}
