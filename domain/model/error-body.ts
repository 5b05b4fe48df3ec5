import type { JsonValue } from '../../contracts/json.ts';

const MAX_TEXT_LENGTH = 8_000;
const MAX_DEPTH = 8;

/**
 * Names and values of the body in lower case, JSON inside strings as it is: codes, types and messages count wherever a gateway
 * put them.
 */
export function errorText(body: JsonValue | undefined): string {
  return textOf(body).toLowerCase().slice(0, MAX_TEXT_LENGTH);
}

function textOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return '';
  if (Array.isArray(value)) return value.map((part) => textOf(part, depth + 1)).join(' \n ');
  return Object.entries(value)
    .map(([name, part]) => {
      if (COUNTS.has(name) && Number(part) > 0) return WORK_WAS_COUNTED;
      return KEPT_NAMES.has(name) ? `${name}: ${textOf(part, depth + 1)}` : textOf(part, depth + 1);
    })
    .join(' \n ');
}

/** Names that say something by being there. */
const KEPT_NAMES: ReadonlySet<string> = new Set(['failed_generation', 'flagged_input', 'innererror', 'content_filter_result', 'retryDelay']);
const COUNTS: ReadonlySet<string> = new Set(['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens']);
/** Stands for a usage beside an error: what was counted may be charged. */
export const WORK_WAS_COUNTED = 'work was counted';

/** The error inside a body that came as a reply, and the status that it names for itself; null where there is none. */
export function errorIn(body: JsonValue | undefined): { readonly status: number | null } | null {
  return typeof body === 'string' ? inText(body) : inValue(body, 0);
}

function inText(body: string): { readonly status: number | null } | null {
  if (!/"error"\s*:|^event:\s*error/m.test(body)) return null;
  const code = /"(?:code|status)"\s*:\s*"?([45]\d\d)\b/.exec(body)?.[1];
  return { status: code === undefined ? null : Number(code) };
}

function inValue(value: unknown, depth: number): { readonly status: number | null } | null {
  if (typeof value !== 'object' || value === null || depth > 3) return null;
  if (Array.isArray(value)) return value.slice(0, 20).reduce((found: ReturnType<typeof inValue>, part) => found ?? inValue(part, depth + 1), null);
  const { error, type, status, choices } = value as Readonly<Record<string, unknown>>;
  if (error !== undefined && error !== null && error !== false) return { status: codeOf(error) ?? codeOf(value) };
  const isError = type === 'error' || status === 'failed' || (value as { finish_reason?: unknown }).finish_reason === 'error';
  return isError ? { status: codeOf(value) } : inValue(choices, depth + 1);
}

function codeOf(error: unknown): number | null {
  const { code, status, status_code: statusCode } = (typeof error === 'object' && error !== null ? error : {}) as Readonly<Record<string, unknown>>;
  const stated = [code, status, statusCode].map(Number).find((number) => Number.isInteger(number) && number >= 400 && number < 600);
  return stated ?? null;
}
