import type { Billed, ErrorSignal, ErrorVerdict, OutcomeClass, TransportFault } from '../../contracts/model.ts';
import { errorIn, errorText, WORK_WAS_COUNTED } from './error-body.ts';
import { CLASS_RULES, ERROR_ROWS, type ErrorRow } from './error-table.ts';
import { wasTriedByGateway } from './gateway-tries.ts';
import { retryAfterOf } from './retry-after.ts';

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
 * throws, whatever a gateway put into the body. `nowMs` is needed for a wait that is stated as a date. An error that may have
 * been billed is never called unbilled.
 */
export function classifyError(signal: ErrorSignal, nowMs: number): ErrorVerdict {
  const wasAnswered = signal.status !== undefined;
  if (signal.transport !== undefined && (!wasAnswered || isSuccess(signal.status))) {
    const fault = TRANSPORT[signal.transport] ?? TRANSPORT.ECONNRESET;
    return verdictFor(fault.class, wasAnswered ? 'unknown' : fault.billed);
  }
  const text = errorText(signal.body);
  const status = statusOf(signal);
  // Where a reply was promised, a text is judged only if it is an error: a login page may speak of anything.
  const row = isSuccess(status) ? undefined : rowFor(signal, status, text);
  const outcome = row?.class ?? defaultClass(status);
  const billed = row ? row.billed : isClientError(status) || isSuccess(status) ? 'unknown' : undefined;
  const verdict = verdictFor(outcome, billed, retryAfterOf(signal, text, nowMs, outcome));
  return verdict.billed !== 'yes' && mayBeBilled(signal, status, text, outcome) ? { ...verdict, billed: 'unknown' } : verdict;
}

/** The row of the table that an error falls under. */
export function rowFor(signal: ErrorSignal, status: number | undefined, text: string): ErrorRow | undefined {
  return ERROR_ROWS.find((row) => matches(row, signal, status, text));
}

/** The status of the answer; of an error inside a successful answer, the one that the error itself names, if any. */
export function statusOf(signal: ErrorSignal): number | undefined {
  if (signal.status !== undefined && !isSuccess(signal.status)) return signal.status;
  const inside = errorIn(signal.body);
  return inside === null ? signal.status : (inside.status ?? undefined);
}

function matches(row: ErrorRow, signal: ErrorSignal, status: number | undefined, text: string): boolean {
  if (row.status && (status === undefined ? row.says === undefined : !row.status.includes(status))) return false;
  if (row.header && !row.header[1].test(signal.headers?.[row.header[0]] ?? '')) return false;
  return row.says === undefined || row.says.test(text);
}

function defaultClass(status: number | undefined): OutcomeClass {
  if (isSuccess(status)) return 'invalidResponse';
  return isClientError(status) ? 'badRequest' : 'serverError';
}

const isSuccess = (status: number | undefined): boolean => status !== undefined && status >= 200 && status < 300;
const isClientError = (status: number | undefined): boolean => status !== undefined && status >= 400 && status < 500;

/**
 * Why an error of a class that costs nothing may have cost something all the same: work had begun, a gateway tried more than
 * once, or Azure, which charges for prompts that it refuses after reading them.
 */
function mayBeBilled({ status: answered, provider, headers = {} }: ErrorSignal, status: number | undefined, text: string, outcome: OutcomeClass): boolean {
  const hadBegun = answered === undefined || isSuccess(answered) || (status !== undefined && status >= 500);
  const wasTriedBefore = wasTriedByGateway((name) => headers[name]) || /litellm retried: [1-9]/.test(text);
  const wasRead = outcome === 'contentFiltered' || outcome === 'contextLengthExceeded';
  const isAzures = provider === 'azure' || /azure|responsibleaipolicyviolation|content_filter_result|innererror/.test(text);
  return hadBegun || wasTriedBefore || (wasRead && isAzures) || /output blocked/.test(text) || text.includes(WORK_WAS_COUNTED);
}
