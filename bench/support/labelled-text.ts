import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Label {
  /** A type of ours; null where we have none for it (names, places, organisations). */
  readonly kind: string | null;
  readonly start: number;
  readonly end: number;
}

export interface LabelledText {
  readonly text: string;
  readonly labels: readonly Label[];
}

/** Kinds that are measured, by presidio-research's name of the label. */
const KINDS: Readonly<Record<string, string>> = {
  EMAIL_ADDRESS: 'email',
  CREDIT_CARD: 'creditCard',
  IBAN_CODE: 'iban',
  US_SSN: 'nationalId.us-ssn',
  IP_ADDRESS: 'ipAddress',
  PHONE_NUMBER: 'phone',
  US_DRIVER_LICENSE: 'driversLicence',
  STREET_ADDRESS: 'postalAddress',
  ADDRESS: 'postalAddress',
};

/** Data sets of a clone of presidio-research, by name. */
export const DATA_SETS = { 'synth_dataset_v2.json': 'data/synth_dataset_v2.json', 'generated_large.json': 'tests/data/generated_large.json' } as const;

interface Sample {
  readonly full_text: string;
  readonly spans: readonly { readonly entity_type: string; readonly start_position: number; readonly end_position: number }[];
}

/** Labelled sentences out of a clone of microsoft/presidio-research. Its offsets count characters, ours code units. */
export function readPresidioResearch(folder: string, file: string): readonly LabelledText[] {
  const samples: readonly Sample[] = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  return samples.map(({ full_text: text, spans }) => {
    const characters = Array.from(text);
    const unitOf = (position: number) => characters.slice(0, position).join('').length;
    return {
      text,
      labels: spans.map(({ entity_type, start_position, end_position }) => ({
        kind: KINDS[entity_type] ?? null,
        start: unitOf(start_position),
        end: unitOf(end_position),
      })),
    };
  });
}
