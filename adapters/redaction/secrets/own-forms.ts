import { entropyOf } from './entropy.ts';
import { type CompiledRule, isLetterOrDigit, matchAt } from './rule.ts';

/** Secrets whose form takes more than a pattern: keys in armour, credentials in addresses and headers, passwords by their label. */
export const OWN_FORMS: readonly CompiledRule[] = [
  { type: 'secret.private-key', keywords: ['-----begin'], valueAt: privateKey },
  { type: 'secret.jwt', keywords: ['ey'], valueAt: fromStart(/ey[A-Za-z0-9]{10,}\.ey[\w/\\-]{10,}\.(?:[\w/\\-]{10,}={0,2})?/y) },
  { type: 'secret.url-password', keywords: ['://'], valueAt: urlPassword },
  {
    type: 'secret.authorization-header',
    keywords: ['authorization'],
    valueAt: fromEnd(/["'\\]{0,3}\s{0,5}[:=]\s{0,5}["'\\]{0,3}(?:basic|bearer|token|api-?key|digest)\s{1,5}([\w=~@.+/-]{8,})/iy),
  },
  { type: 'secret.bearer-token', keywords: ['bearer '], valueAt: fromEnd(/\s{0,4}((?=[\w=~.+/-]{0,60}\d)[\w=~.+/-]{16,})/y) },
  { type: 'secret.curl-user', keywords: ['curl '], valueAt: fromEnd(/[^\n]{0,500}?(?<=\s)(?:-u|--user)[= ]{0,4}["']?([^\s"':]{1,100}:[^\s"']{3,200})/y) },
  { type: 'secret.password', keywords: ['password', 'passwd', 'passphrase', 'passcode', 'pwd'], valueAt: password },
  {
    type: 'secret.generic',
    keywords: ['access', 'api', 'auth', 'key', 'credential', 'creds', 'passwd', 'password', 'pwd', 'secret', 'token'],
    valueAt: generic,
  },
];

const KEY_BEGIN = /-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----/iy;
const KEY_END = /-----END[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----/iy;
const KEY_BODY = /(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----))*/y;

/** To the end of its armour; where that is missing (a key cut off is a key), as far as it looks like the inside of one. */
function privateKey(text: string, start: number) {
  const begin = matchAt(KEY_BEGIN, text, start);
  if (begin === null) return null;
  const body = matchAt(KEY_BODY, text, begin.end) ?? begin;
  return { start, end: (matchAt(KEY_END, text, body.end) ?? body).end };
}

const CREDENTIALS = /[^\s:@/"'<>`]{0,100}:([^\s/"'<>`]{1,200})(?=@[^\s@])/y;

/** The password of `scheme://user:password@host`. */
function urlPassword(text: string, _start: number, end: number) {
  const value = matchAt(CREDENTIALS, text, end);
  return value === null || isPlaceholder(text.slice(value.start, value.end)) ? null : value;
}

const QUOTED_PASSWORD = /\w{0,20}\\?["']?\s{0,3}(?:=>|:=|=|:)\s{0,3}\\?(["'])((?:(?!\1)[^\\\n]){4,200})(?=\\?\1)/iy;
const BARE_PASSWORD = /\w{0,20}\s{0,3}(?:=>|:=|=|:| is )\s{0,3}([^\s"'`,;<>(){}[\]&]{6,200})/iy;

/** Passwords are short and made by people: their label decides, and what can't be one is left out. */
function password(text: string, _start: number, end: number) {
  QUOTED_PASSWORD.lastIndex = end;
  const quoted = QUOTED_PASSWORD.exec(text);
  if (quoted !== null) {
    const valueEnd = end + quoted[0].length;
    const value = { start: valueEnd - (quoted[2] ?? '').length, end: valueEnd };
    return isPlaceholder(quoted[2] ?? '') ? null : value;
  }
  const bare = matchAt(BARE_PASSWORD, text, end);
  if (bare === null) return null;
  const trimmed = { start: bare.start, end: bare.end - (text.slice(bare.start, bare.end).match(/[.!?:]{1,10}$/)?.[0].length ?? 0) };
  const value = text.slice(trimmed.start, trimmed.end);
  return value.length >= 6 && /[\d!@#$%^*_+]/.test(value) && !isPlaceholder(value) ? trimmed : null;
}

const GENERIC = /[ \t\w.-]{0,20}[\s'"\\]{0,4}(?:=>|\?=|:{1,3}=|=|>|\|\||:|,)[\x60'"\s=\\]{0,6}([\w.=+/~-]{10,150})(?=[\x60'"\s;,)}\]<&]|\\[nrt"']|$)/iy;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** `some-name`, `moduleName.v2`, `path/to/FILE_3`: words with at most a few digits after each. */
const WORDS = /^[/.~]{0,3}WORD(?:[-_./=+~]{1,3}WORD)*[-_./=+~]{0,3}$/.source.replaceAll(
  'WORD',
  String.raw`(?:[A-Z]{1,16}|[a-z]{0,16}(?:[A-Z][a-z]{2,16})*)\d{0,4}`,
);
const READS = new RegExp(WORDS);
const DATE = /^\d{4}-\d{2}-\d{2}/;

/** Names of keys and tokens that nobody hides: of pages, of rows, of what is public. */
const NO_SECRET_NAME =
  /(?:next|page|paging|continuation|cursor|sync|public|primary|foreign|partition|sort|cache|idempotency|row|object|translation)[\w-]{0,8}[ _.-]?$/i;

/** A random value behind a word such as key or token. What reads like words, paths, dates or ids is none. */
function generic(text: string, start: number, end: number) {
  if (NO_SECRET_NAME.test(text.slice(Math.max(0, start - 24), start))) return null;
  const found = matchAt(GENERIC, text, end);
  if (found === null) return null;
  const raw = text.slice(found.start, found.end);
  const value = raw.replace(/\.+$/, '');
  const isSecret =
    /\d/.test(value) && /[A-Za-z]/.test(value) && entropyOf(value) > 3.5 && !UUID.test(value) && !DATE.test(value) && !reads(value) && !isPlaceholder(value);
  return isSecret ? { start: found.start, end: found.end - (raw.length - value.length) } : null;
}

function reads(value: string): boolean {
  return value.length <= 60 && READS.test(value);
}

const PLACEHOLDER =
  /^(?:true|false|null|nil|none|undefined|string|number|text|required|optional|password|passwd|secret|example|redacted|hidden|changeme|placeholder|your[-_ ].{0,60}|my[-_]?(?:password|secret)|(.)\1*|\*{2,}.{0,10}|x{3,}|\.{3}.*|[$%@]\{?\{?[\w .:-]{1,100}\}?\}?[%@]?|\{\{?.{0,100}\}?\}|<.{0,100}>|\[.{0,60}\]|(?:process\.env|os\.environ|os\.getenv|env|config|settings|self|this|vars?|secrets|params)[.[(].{0,150}|[\w.]{1,60}\([^)]{0,100}\)?)$/i;

/** What stands where a value would: a variable, a call, stars, a word that says what belongs there. */
function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || value.includes('￼');
}

function fromStart(pattern: RegExp): CompiledRule['valueAt'] {
  return (text, start) => (isLetterOrDigit(text.charCodeAt(start - 1)) ? null : matchAt(pattern, text, start));
}

function fromEnd(pattern: RegExp): CompiledRule['valueAt'] {
  return (text, _start, end) => matchAt(pattern, text, end);
}
