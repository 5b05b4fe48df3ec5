import type { JsonValue } from '../../contracts/json.ts';
import type { RedactionEngine } from './exit-port.ts';
import type { RedactionOptions } from './port.ts';
import { MASKING } from './vault-tokens.ts';

/** Whose text it is, as far as anybody knows. */
export type ScrubScope = Partial<Pick<RedactionOptions, 'tenant' | 'feature' | 'task'>>;

/** Masks what redaction finds, for texts that nobody needs the values of: logs, failures, comments, messages of errors. */
export interface Scrubber {
  text(text: string, scope?: ScrubScope): string;
  json<T extends JsonValue>(value: T, scope?: ScrubScope): T;
}

export function createScrubber({ redactor }: Pick<RedactionEngine, 'redactor'>): Scrubber {
  const optionsFor = (scope: ScrubScope): RedactionOptions => ({
    tenant: '',
    feature: '',
    ...scope,
    place: 'text',
    origin: 'run',
    tokens: MASKING,
  });
  return {
    text: (text, scope = {}) => redactor.redactText(text, optionsFor(scope)).text,
    json: <T extends JsonValue>(value: T, scope: ScrubScope = {}) => redactor.redactJson(value, optionsFor(scope)).value as T,
  };
}
