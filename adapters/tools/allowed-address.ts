import { BlockList, isIP } from 'node:net';

/** Ranges that are not the public internet: the special-purpose registries of RFC 6890, and what clouds put their metadata on. */
const FORBIDDEN_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;

/** Within 2000::/3, the only range in public use; everything outside it is forbidden anyway. Tunnels carry an IPv4 address of anybody's choice. */
const FORBIDDEN_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const forbidden = new BlockList();
for (const [net, prefix] of FORBIDDEN_V4) forbidden.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of FORBIDDEN_V6) forbidden.addSubnet(net, prefix, 'ipv6');
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Whether a tool may connect to an IP address: public ones, and loopback where `allowLoopback` says so. An IPv4 address
 * in IPv6 form (mapped, NAT64) is refused unless it is an allowed loopback one.
 */
export function isAllowedAddress(address: string, allowLoopback: boolean): boolean {
  // A zone (`fe80::1%eth0`) belongs to link-local addresses only.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (loopback.check(address, family)) return allowLoopback;
  if (family === 'ipv6' && !publicV6.check(address, family)) return false;
  return !forbidden.check(address, family);
}
