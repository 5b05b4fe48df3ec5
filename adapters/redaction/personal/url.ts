import type { Detector, Finding } from '../../../domain/redaction/port.ts';

const SCHEME = /[a-z][a-z0-9+.-]*$/i;
/** Ends a URL in running text. */
const END = /[\s"'<>`\\^{}|\p{Cc}⟦⟧]/gu;
const SECRET_PARAMETERS = new Set(
  `access_token accesstoken apikey api_key api-key app_key appkey auth auth_token authtoken authorization client_secret code credential
  id_token invite jwt key magic nonce otp passwd password pass passphrase pwd refresh_token reset_token s3_key secret session
  session_id sessionid sid sig signature signed subscription-key ticket token verification_token x-amz-credential
  x-amz-security-token x-amz-signature x-goog-credential x-goog-signature private_token personal_token`.split(/\s+/),
);
const PARAMETER = /[?#&;]([\w.%-]{1,40})=/g;
/** Values that are no secret whatever their name. */
const PLAIN = /^(?:true|false|null|undefined|[\w-]{1,3}|\$.*|<.*|\{.*|\*+|[xX]+|[A-Z]{2,12}(?:_[A-Z]{2,12})+)$/;

/** What in a URL lets somebody in: a name with its password before the host, and tokens in query and fragment. */
export const urlDetector: Detector = {
  name: 'url',
  types: ['urlCredentials', 'urlToken'],
  find(text) {
    const findings: Finding[] = [];
    let next = text.indexOf('://');
    while (next !== -1) {
      const start = next + 3;
      END.lastIndex = start;
      const end = END.exec(text)?.index ?? text.length;
      if (SCHEME.test(text.slice(Math.max(0, next - 20), next))) findings.push(...credentialsIn(text, start, end), ...tokensIn(text, start, end));
      next = text.indexOf('://', Math.max(end, start));
    }
    return findings;
  },
};

function credentialsIn(text: string, start: number, end: number): readonly Finding[] {
  let host = start;
  while (host < end && !'/?#'.includes(text[host] ?? '')) host += 1;
  const at = text.lastIndexOf('@', host - 1);
  const colon = text.indexOf(':', start);
  // A name alone (`ssh://git@host`) opens nothing.
  return at > start && colon > start && colon < at - 1 ? [{ type: 'urlCredentials', start, end: at }] : [];
}

function tokensIn(text: string, start: number, end: number): readonly Finding[] {
  const findings: Finding[] = [];
  const url = text.slice(start, end);
  for (const { index, 0: parameter, 1: name } of url.matchAll(PARAMETER)) {
    if (!SECRET_PARAMETERS.has((name ?? '').toLowerCase())) continue;
    const from = index + parameter.length;
    const value = (/^[^&;#]*/.exec(url.slice(from))?.[0] ?? '').replace(/[.,:!?)\]]+$/, '');
    if (value.length > 0 && !PLAIN.test(value)) findings.push({ type: 'urlToken', start: start + from, end: start + from + value.length });
  }
  return findings;
}
