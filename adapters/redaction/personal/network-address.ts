import { isIPv6 } from 'node:net';
import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { hasContextBefore } from './context.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const V4 = `(?<![\\w.])${OCTET}(?:\\.${OCTET}){3}(?![\\w]|\\.\\d|-[A-Za-z])`;
const VERSION = /(?:version|ver|release|build|firmware|revision|rev|assembly|file ?version|v)[\s:.=@"']{0,3}$/;
/** The longest IPv6 address, with an IPv4 one at its end. */
const MAX_V6 = 45;
const MAC =
  /(?<![0-9A-Za-z]|[0-9A-Fa-f]{2}[:-])(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![0-9A-Za-z]|[:-][0-9A-Fa-f]{2}(?![0-9A-Za-z]))/g;
const NO_MAC = /^(?:(?:00[:-]?){6}|(?:ff[:-]?){6}|0{4}\.0{4}\.0{4}|f{4}\.f{4}\.f{4})$/i;

export const ipAddressDetector: Detector = {
  name: 'ip-address',
  types: ['ipAddress'],
  find(text) {
    const findings: Finding[] = [];
    for (const { index, 0: address } of text.matchAll(new RegExp(V4, 'g')))
      if (!isNobodys(address) && !hasContextBefore(text, index, VERSION, 14)) findings.push({ type: 'ipAddress', start: index, end: index + address.length });
    findings.push(...ipv6In(text));
    return findings;
  },
};

/** Unspecified, loopback, broadcast and netmasks say nothing about anybody. */
const isNobodys = (address: string) => /^(?:0\.0\.0\.0|127\.|255\.)/.test(address);

function ipv6In(text: string): readonly Finding[] {
  const findings: Finding[] = [];
  let from = 0;
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', from)) {
    let start = colon;
    while (start > from && colon - start <= 4 && isV6Sign(text.charCodeAt(start - 1))) start -= 1;
    let end = colon;
    while (isV6Sign(text.charCodeAt(end))) end += 1;
    from = end;
    // A sentence may end right after it.
    while (end > start && (text[end - 1] === '.' || (text[end - 1] === ':' && text[end - 2] !== ':'))) end -= 1;
    if (end - start <= MAX_V6 && isPersonalV6(text.slice(start, end)) && !/[\w:]/.test(text[start - 1] ?? ' ') && !/\w/.test(text[end] ?? ' '))
      findings.push({ type: 'ipAddress', start, end });
  }
  return findings;
}

const isV6Sign = (code: number) => (code >= 46 && code <= 58 && code !== 47) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** `a::b` is a name in some languages: an address in the short form has at least three groups, or begins as real ones do. */
function isPersonalV6(address: string): boolean {
  const groups = address.split(':').filter((group) => group !== '');
  if (groups.length < 2 || !isIPv6(address)) return false;
  return groups.length >= 3 || /^(?:(?:2[0-9a-f]{3}|fe80|f[cd][0-9a-f]{2}):|::ffff:)/i.test(address);
}

export const macAddressDetector: Detector = {
  name: 'mac-address',
  types: ['macAddress'],
  find(text) {
    const findings: Finding[] = [];
    for (const { index, 0: address } of text.matchAll(MAC))
      if (!NO_MAC.test(address)) findings.push({ type: 'macAddress', start: index, end: index + address.length });
    return findings;
  },
};
