/** Where in a run a value enters. */
export const PLACES = ['input', 'message', 'toolResult', 'toolError', 'reply', 'arguments', 'reason'] as const;
export type Place = (typeof PLACES)[number];

/** One value that must not be seen anywhere, with the words around it that tell what it is. */
export interface Canary {
  readonly kind: string;
  readonly value: string;
  readonly sentence: string;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/**
 * Personal data and secrets of many kinds, other ones for each place. Put together here: no secret stands in the repository, not
 * even a false one.
 */
export function canaries(place: Place): readonly Canary[] {
  const seed = PLACES.indexOf(place) + 1;
  const random = lettersFrom(seed);
  const luhn = withLuhn(`41111111${String(seed).repeat(7)}`);
  const canary = (kind: string, value: string, before: string): Canary => ({ kind, value, sentence: `${before} ${value}` });
  return [
    canary('email', `canary.${place.toLowerCase()}@mail-of-${seed}.example.org`, 'e-mail'),
    canary('creditCard', luhn.replace(/(\d{4})(?=\d)/g, '$1 '), 'card number'),
    canary('iban', iban('DE', `3704004405320130${String(seed).padStart(2, '0')}`), 'IBAN'),
    canary('phone', `+49 30 9018 ${String(2000 + seed * 37)}`, 'phone'),
    canary('ipAddress', `81.2.69.${100 + seed}`, 'from IP address'),
    canary('nationalId', `5${seed}1-4${seed}-2${seed}8${seed}`, 'social security number'),
    canary('githubToken', ['gh', 'p_', random(36)].join(''), 'token'),
    canary('awsKey', ['AK', 'IA', upperOf(random(40)).slice(0, 16)].join(''), 'access key'),
    canary('slackToken', ['xo', 'xb-', `1234567890${seed}2-`, `123456789012${seed}-`, random(24)].join(''), 'Slack'),
    canary('databaseUrl', ['postgres', '://admin:', random(20), `@db${seed}.example.org:5432/shop`].join(''), 'database'),
    canary('privateKey', ['-----BEGIN', ' PRIVATE KEY-----\n', random(64), '\n', random(64), '\n-----END', ' PRIVATE KEY-----'].join(''), 'key:'),
  ];
}

/** All of a place's values in one text. */
export function canaryText(place: Place): string {
  return canaries(place)
    .map(({ sentence }) => sentence)
    .join('.\n');
}

export function canaryOf(place: Place, kind: string): string {
  const found = canaries(place).find((canary) => canary.kind === kind);
  if (!found) throw new Error(`no canary ${kind}`);
  return found.value;
}

/** What of a value may not be seen: the value, and of one with several lines each long line of it. */
function secretsOf({ value }: Canary): readonly string[] {
  const lines = value.split('\n').filter((line) => line.length >= 20 && !line.startsWith('-----'));
  return value.includes('\n') ? lines : [value];
}

/** Names of the values that stand in `bytes`, as they are, as JSON writes them, or in Base64. */
export function leaksIn(bytes: Buffer, places: readonly Place[] = PLACES): string[] {
  return places.flatMap((place) =>
    canaries(place).flatMap((canary) => {
      const leaked = secretsOf(canary).some((secret) => formsOf(secret).some((form) => bytes.includes(form)));
      return leaked ? [`${canary.kind} of ${place}`] : [];
    }),
  );
}

/** In Base64 a text looks different at each of three offsets, apart from its ends. */
function formsOf(secret: string): string[] {
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)])
      .toString('base64')
      .slice(4, -4),
  );
  return [secret, JSON.stringify(secret).slice(1, -1), ...shifted.filter((form) => form.length >= 8)];
}

function lettersFrom(seed: number): (count: number) => string {
  let state = seed * 7_919 + 17;
  return (count) =>
    Array.from({ length: count }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return LETTERS[state % LETTERS.length];
    }).join('');
}

function upperOf(text: string): string {
  return text.toUpperCase().replace(/[^A-Z2-7]/g, '');
}

function withLuhn(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

function iban(country: string, account: string): string {
  const digits = [...`${account}${country}00`].map((character) => Number.parseInt(character, 36)).join('');
  const rest = [...digits].reduce((remainder, digit) => (remainder * 10 + Number(digit)) % 97, 0);
  return `${country}${String(98 - rest).padStart(2, '0')}${account}`;
}
