import { z } from 'zod';
import type { Finding, RemoteDetector } from '../../domain/redaction/port.ts';

export interface PresidioOptions {
  /** Of the analyzer, `http://127.0.0.1:5002`. */
  readonly url: string;
  /** ISO 639-1; one that the analyzer has a model for. */
  readonly language: string;
  /** What is asked for: by default names and places, which no pattern finds. */
  readonly entities: readonly string[];
  readonly timeoutMs: number;
  /** Results that Presidio is less sure of are left out. */
  readonly minScore?: number;
}

/** The type of a finding, by Presidio's name of the entity; others are `presidio.<name>`. */
const TYPES: Readonly<Record<string, string>> = {
  PERSON: 'person',
  LOCATION: 'location',
  ORGANIZATION: 'organisation',
  NRP: 'nationality',
  DATE_TIME: 'dateTime',
  EMAIL_ADDRESS: 'email',
  PHONE_NUMBER: 'phone',
  CREDIT_CARD: 'creditCard',
  IBAN_CODE: 'iban',
  IP_ADDRESS: 'ipAddress',
  MAC_ADDRESS: 'macAddress',
  CRYPTO: 'cryptoWallet',
  US_SSN: 'nationalId.us-ssn',
  US_ITIN: 'nationalId.us-itin',
  UK_NHS: 'nationalId.gb-nhs',
};
const typeOf = (entity: string): string => TYPES[entity] ?? `presidio.${entity.toLowerCase().replaceAll('_', '-')}`;

/** What one request may hold, in code units: more is refused, so that nobody keeps the analyzer busy for minutes. */
export const MAX_TEXT_LENGTH = 100_000;
const MAX_ANSWER_BYTES = 4_000_000;
const DEFAULT_MIN_SCORE = 0.4;

const resultsSchema = z.array(
  z.object({ entity_type: z.string().regex(/^[A-Z][A-Z0-9_]{0,60}$/), start: z.int().nonnegative(), end: z.int().nonnegative(), score: z.number() }),
);

/**
 * Names and places, by a Presidio analyzer. Rejects when it is down, late, says anything but a list of results within the text,
 * or the text is too long: what then becomes of the text is the policy's decision. Its messages hold nothing of the text.
 */
export function createPresidioDetector({ url, language, entities, timeoutMs, minScore = DEFAULT_MIN_SCORE }: PresidioOptions): RemoteDetector {
  return {
    name: 'presidio',
    types: entities.map(typeOf),
    async find(text, _context, signal) {
      if (text.trim() === '') return [];
      if (text.length > MAX_TEXT_LENGTH) throw new Error(`Presidio is asked about ${MAX_TEXT_LENGTH} characters at most, this text has ${text.length}`);
      const results = await analyze(
        url,
        { text: text.toWellFormed(), language, entities, score_threshold: minScore },
        AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      );
      return findingsIn(text, results, entities);
    },
  };
}

async function analyze(url: string, request: object, signal: AbortSignal): Promise<z.infer<typeof resultsSchema>> {
  const response = await fetch(`${url}/analyze`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(request),
    redirect: 'error',
    signal,
  });
  const body = await bodyOf(response);
  if (response.status !== 200) throw new Error(`Presidio answered ${response.status}`);
  const parsed = resultsSchema.safeParse(jsonOf(body));
  if (!parsed.success) throw new Error('Presidio answered with something else than a list of results');
  return parsed.data;
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`Presidio answered with more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Presidio counts characters, we count code units: they differ from the first emoji on. */
function findingsIn(text: string, results: z.infer<typeof resultsSchema>, entities: readonly string[]): readonly Finding[] {
  const unitOf = unitsByCharacter(text);
  return results
    .filter(({ entity_type: entity }) => entities.includes(entity))
    .map(({ entity_type: entity, start, end }) => {
      const finding = { type: typeOf(entity), start: unitOf(start), end: unitOf(end) };
      if (!(finding.end > finding.start && finding.end <= text.length)) throw new Error('Presidio answered with a range outside of the text');
      return finding;
    });
}

function unitsByCharacter(text: string): (character: number) => number {
  if (!/[\ud800-\udbff]/.test(text)) return (character) => character;
  const units: number[] = [];
  let unit = 0;
  for (const character of text) {
    units.push(unit);
    unit += character.length;
  }
  units.push(unit);
  return (character) => units[character] ?? Number.NaN;
}
