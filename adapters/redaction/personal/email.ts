import type { Detector, Finding } from '../../../domain/redaction/port.ts';

const MAX_LOCAL = 64;
const MAX_DOMAIN = 253;
/** Of RFC 5322's atoms, and letters of every script (RFC 6531). */
const LOCAL = /[\p{L}\p{N}\p{M}!#$&'*+/=?^_`{|}~.-]/u;
/** Without an `@` of its own, at most two labels' letters in any script; then a label of letters, or punycode. */
const DOMAIN = /(?:[\p{L}\p{N}\p{M}_](?:[\p{L}\p{N}\p{M}_-]{0,61}[\p{L}\p{N}\p{M}_])?[.。]){1,8}(?:xn--[a-z0-9-]{2,59}|[\p{L}\p{M}]{2,63})(?![\p{L}\p{N}_])/iuy;
const LITERAL = /\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9a-f:.]{2,45})\]/iy;
const AT = /@|%40|＠/g;

/** E-mail addresses, also internationalised, quoted (`"a b"@c.de`) and percent-encoded (`a%40c.de`). */
export const emailDetector: Detector = {
  name: 'email',
  types: ['email'],
  find(text) {
    const findings: Finding[] = [];
    let from = 0;
    for (const { index, 0: at } of text.matchAll(AT)) {
      if (index < from) continue;
      const start = startOfLocal(text, index, from);
      const end = start === index ? index : endOfDomain(text, index + at.length);
      if (end <= index + at.length || start === index || isNoMailbox(text, start, index, end)) continue;
      findings.push({ type: 'email', start, end });
      from = end;
    }
    return findings;
  },
};

function startOfLocal(text: string, at: number, from: number): number {
  const earliest = Math.max(from, at - MAX_LOCAL);
  if (text[at - 1] === '"') {
    const quote = text.lastIndexOf('"', at - 2);
    return quote >= earliest && !text.slice(quote, at).includes('\n') ? quote : at;
  }
  let start = at;
  while (start > earliest && isLocal(text, start - 1)) start -= 1;
  // Signs that may be in an address but rather quote or separate it: 'a@b.de', user=a@b.de, //a@b.de, dots at the ends.
  const local = text.slice(start, at);
  const skipped = /^.*[=/`'{|}?&](?=[^=/`'{|}?&]*$)/su.exec(local)?.[0].length ?? 0;
  start += skipped;
  while (start < at && /[.!#$*+?^~}-]/.test(text[start] ?? '')) start += 1;
  return text[at - 1] === '.' ? at : start;
}

/** Letters beyond the BMP are two code units; both count. */
function isLocal(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  if (code < 128) return LOCAL.test(text[index] ?? '');
  if (code >= 0xd800 && code <= 0xdfff) return true;
  return LOCAL.test(text[index] ?? '');
}

function endOfDomain(text: string, start: number): number {
  for (const form of [DOMAIN, LITERAL]) {
    form.lastIndex = start;
    const found = form.exec(text)?.[0].length ?? 0;
    if (found > 0 && found <= MAX_DOMAIN) return start + found;
  }
  return start;
}

/** `git@host:path` is where a repository is, and what stands in a URL before the host is found by the detector of URLs. */
function isNoMailbox(text: string, start: number, at: number, end: number): boolean {
  if (text.slice(start, at) === 'git' && text[end] === ':') return true;
  const before = text.slice(Math.max(0, start - MAX_DOMAIN), start);
  return /[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/?#"'<>]*$/i.test(before.slice(before.lastIndexOf('://') - 21));
}
