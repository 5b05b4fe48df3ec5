import { z } from 'zod';
import { type RedactionRules, redactionRulesSchema, type RedactionSettings, redactionSettingsSchema } from '../../contracts/redaction.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { AppliedFinding } from '../../domain/redaction/port.ts';
import { RunTokens } from '../../domain/redaction/tokens.ts';
import { openRedactor } from './open-redactor.ts';

const lineSchema = z.object({ id: z.union([z.string(), z.number()]), text: z.string() });

export type RedactedLine =
  | { readonly id: string | number; readonly text: string; readonly findings: readonly AppliedFinding[]; readonly blocked?: readonly string[] }
  | { readonly id: string | number | null; readonly error: string };

export interface RedactLineOptions {
  readonly tenant: string;
  readonly feature: string;
  readonly place: 'text' | 'toolArguments';
  /** In place of the settings' regions, by comma. */
  readonly regions?: string;
  /** JSON, above every other rule. */
  readonly rules?: string;
}

/**
 * `tollgate redact`: answers lines as runs of that tenant and feature would redact their text. All lines are one run: the same value
 * has the same token in each.
 * @throws TollgateError of type `invalidInput` for options that make no sense.
 */
export function lineRedactor(settings: RedactionSettings, options: RedactLineOptions): (line: unknown) => RedactedLine {
  const redactor = openRedactor(withOptions(settings, options));
  const run = { tenant: options.tenant, feature: options.feature, place: options.place, origin: 'outside', tokens: new RunTokens() } as const;
  return (line) => {
    const parsed = lineSchema.safeParse(line);
    if (!parsed.success) return { id: idOf(line), error: `not a line of {"id","text"}: ${whatIsWrong(line)}` };
    const { text, findings, blocked } = redactor.redactText(parsed.data.text, run);
    return { id: parsed.data.id, text, findings, ...(blocked.length > 0 ? { blocked } : {}) };
  };
}

/** The settings with the options as what this tenant says last. */
function withOptions(settings: RedactionSettings, { tenant, feature, regions, rules }: RedactLineOptions): RedactionSettings {
  const of = settings.tenants?.[tenant] ?? {};
  const features = rules === undefined ? {} : { features: { ...of.features, [feature]: { ...of.features?.[feature], ...parseRules(rules) } } };
  const tenants = { [tenant]: { ...of, ...(regions === undefined ? {} : { regions: regions.split(',').map((region) => region.trim()) }), ...features } };
  const checked = redactionSettingsSchema.safeParse({ ...settings, tenants });
  if (checked.success) return checked.data;
  throw new TollgateError('invalidInput', `--regions: ${checked.error.issues[0]?.message ?? 'not a list of regions'}, several by comma: --regions DE,AT.`);
}

function parseRules(text: string): RedactionRules {
  const parsed = redactionRulesSchema.safeParse(parsedJson(text));
  if (parsed.success) return parsed.data;
  throw new TollgateError(
    'invalidInput',
    `--rules takes JSON such as {"email":"mask","secret":"block"}; actions are mask, tokenise, drop, block and allow. ${z.prettifyError(parsed.error)}`,
  );
}

function whatIsWrong(line: unknown): string {
  if (typeof line === 'string') return 'it is no JSON.';
  if (typeof line !== 'object' || line === null || Array.isArray(line)) return 'it is no object.';
  const { id, text } = line as Record<string, unknown>;
  const problems = [
    ...(typeof id === 'string' || typeof id === 'number' ? [] : [`"id" is ${id === undefined ? 'missing' : 'no text or number'}`]),
    ...(typeof text === 'string' ? [] : [`"text" is ${text === undefined ? 'missing' : 'no text'}`]),
  ];
  return `${problems.join(', ')}.`;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function idOf(line: unknown): string | number | null {
  const id = (line as { id?: unknown } | null)?.id;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
