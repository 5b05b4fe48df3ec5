import type { Billed, ErrorSignal, ErrorVerdict, OutcomeClass, TransportFault } from '../../contracts/model.ts';
import { CLASS_RULES, ERROR_ROWS, type ErrorRow } from './error-table.ts';
import { retryAfterOf } from './retry-after.ts';

const MAX_TEXT_LENGTH = 8_000;
const MAX_DEPTH = 6;

/** Transport faults that prove that nothing reached the provider are not billed; the others leave it open. */
const TRANSPORT: Readonly<Record<TransportFault, { readonly class: OutcomeClass; readonly billed: Billed }>> = {
  timeout: { class: 'timeout', billed: 'unknown' },
  ECONNRESET: { class: 'connectionLost', billed: 'unknown' },
  ECONNREFUSED: { class: 'connectionLost', billed: 'no' },
  ENOTFOUND: { class: 'connectionLost', billed: 'no' },
  TLS: { class: 'connectionLost', billed: 'no' },
};

/** The verdict of a class, with what is known better than the class's own rule. */
export function verdictFor(outcome: OutcomeClass, billed?: Billed, retryAfterMs?: number): ErrorVerdict {
  const rule = CLASS_RULES[outcome];
  return {
    class: outcome,
    retrySameModel: rule.retrySameModel,
    nextCandidate: rule.nextCandidate,
    billed: billed ?? rule.billed,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/**
 * Says what went wrong, from status, body, gateway headers and transport, by the rows of error-table.ts. Pure; never
 * throws, whatever a gateway put into the body. `nowMs` is needed for a `retry-after` that is a date.
 */
export function classifyError(signal: ErrorSignal, nowMs: number): ErrorVerdict {
  if (signal.transport !== undefined && signal.status === undefined) {
    const fault = TRANSPORT[signal.transport] ?? TRANSPORT.ECONNRESET;
    return verdictFor(fault.class, fault.billed);
  }
  const text = textOf(signal.body).toLowerCase().slice(0, MAX_TEXT_LENGTH);
  const row = ERROR_ROWS.find((candidate) => matches(candidate, signal.status, text));
  if (row) return verdictFor(row.class, row.billed, retryAfterOf(signal, text, nowMs));
  const status = signal.status ?? 0;
  if (status >= 200 && status < 300) return verdictFor('invalidResponse', 'unknown');
  return verdictFor(status >= 400 && status < 500 ? 'badRequest' : 'serverError', undefined, retryAfterOf(signal, text, nowMs));
}

function matches(row: ErrorRow, status: number | undefined, text: string): boolean {
  if (row.status && (status === undefined || !row.status.includes(status))) return false;
  return row.says === undefined || row.says.test(text);
}

/** Every string in the body: codes, types and messages, wherever a gateway put them, JSON inside strings included. */
function textOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return '';
  return Object.values(value)
    .map((part) => textOf(part, depth + 1))
    .join(' \n ');
}
