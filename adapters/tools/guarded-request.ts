import { lookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { JsonValue } from '../../contracts/json.ts';

const MAX_RESPONSE_BYTES = 1_048_576;

export interface GuardedOptions {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly allowLoopback: boolean;
}

export interface GuardedResponse {
  readonly status: number;
  /** Undefined where the body is no JSON. */
  readonly json: JsonValue | undefined;
}

/** The address is one that a tool must not reach; nothing was sent. */
export class RefusedAddressError extends Error {}

const PRIVATE = new BlockList();
// Private, link-local (with the metadata services of clouds), shared, benchmark, multicast and reserved ranges: RFC 6890.
for (const [net, prefix] of [['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['224.0.0.0', 4], ['240.0.0.0', 4]] as const) PRIVATE.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [['::', 128], ['64:ff9b::', 96], ['fc00::', 7], ['fe80::', 10], ['ff00::', 8]] as const) PRIVATE.addSubnet(net, prefix, 'ipv6');
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a tool may connect to an address. */
export function isAllowedAddress(address: string, allowLoopback: boolean): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const ip = mapped ?? address;
  const family = isIP(ip) === 4 ? 'ipv4' : 'ipv6';
  if (isIP(ip) === 0 || (family === 'ipv6' && /^::ffff:/i.test(ip))) return false;
  if (LOOPBACK.check(ip, family)) return allowLoopback;
  return !PRIVATE.check(ip, family);
}

/**
 * One HTTP request to an address that was checked and then pinned: the name is resolved once, in the connection itself,
 * so that a second answer of the name server can't lead elsewhere. Redirects are not followed.
 * @throws RefusedAddressError where the address is not allowed; other errors where no complete answer came.
 */
export function guardedRequest(url: string, options: GuardedOptions): Promise<GuardedResponse> {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const refused = (address: string) => new RefusedAddressError(`The address ${address} of ${target.host} is private or on this machine; tools may not go there. Nothing was sent.`);
  if (isIP(host) !== 0 && !isAllowedAddress(host, options.allowLoopback)) return Promise.reject(refused(host));

  const checkedLookup: LookupFunction = (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const wrong = addresses.find(({ address }) => !isAllowedAddress(address, options.allowLoopback));
      const [first] = addresses;
      if (wrong || !first) return callback(refused(wrong?.address ?? 'unknown'), '', 0);
      if (lookupOptions.all) return (callback as unknown as (error: null, all: typeof addresses) => void)(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const { method, headers, signal, body } = options;
    const outgoing = send(target, { method, headers, signal, lookup: checkedLookup, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_RESPONSE_BYTES) response.destroy(new Error(`the answer is larger than ${MAX_RESPONSE_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => (response.complete ? resolve({ status: response.statusCode ?? 0, json: parse(Buffer.concat(chunks).toString('utf8')) }) : reject(new Error('the answer was cut off'))));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
