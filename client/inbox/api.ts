import type { Decided, Decision, Me, Problem } from './types.ts';

/** Longer than the API itself waits for a worker's answer. */
const TIMEOUT_MS = 20_000;
/** A batch waits for several answers, one after the other. */
const BATCH_TIMEOUT_MS = 90_000;

/** An answer that is none. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

let me: Me | null = null;
let onUnknown: ((problem: Problem) => void) | null = null;

/** Who looks at the page. @throws ApiError */
export async function loadMe(): Promise<Me> {
  me = JSON.parse(await getText('/v1/me')) as Me;
  return me;
}

/** Whoever is told when the API does not know any more who asks. */
export function whenUnknown(tell: ((problem: Problem) => void) | null): void {
  onUnknown = tell;
}

/** Ends the browser's session. @throws ApiError */
export async function signOut(): Promise<void> {
  const response = await post('/logout', undefined);
  if (!response.ok) throw failed(response, await response.text());
}

let editing: Promise<boolean> | null = null;

/** Whether this API takes edits, as it says itself. */
export function takesEdits(): Promise<boolean> {
  editing ??= getText('/v1/openapi.json').then(
    (text) => {
      const { components } = JSON.parse(text) as { readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> } };
      return Object.entries(components?.schemas ?? {}).some(([name, schema]) => /^Decision(Input)?$/.test(name) && JSON.stringify(schema).includes('"edit"'));
    },
    () => false,
  );
  return editing;
}

/** The text of an answer, so that the same one again is known to be the same. @throws ApiError */
export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  const response = await send(path, signal ? { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) } : {});
  const text = await response.text();
  if (!response.ok) throw failed(response, text);
  return text;
}

/** Sends a decision about exactly the action that `actionDigest` names. @throws ApiError where nobody knows what became of it. */
export async function decide(approvalId: string, decision: Decision): Promise<Decided> {
  const response = await post(`/v1/approvals/${encodeURIComponent(approvalId)}/decisions`, decision);
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Decided;
  const error = failed(response, text);
  if (response.status === 401 || response.status >= 500) throw error;
  return { type: 'refused', problem: error.problem };
}

export interface Batch {
  readonly verdict: 'approve' | 'deny';
  readonly decisions: readonly { readonly approvalId: string; readonly actionDigest: string }[];
  readonly comment?: string;
}

type BatchAnswer = { readonly type: string; readonly message: string; readonly reason?: string; readonly gateStatus?: string };

/** One decision about many actions, each named by its digest; an answer for each, in their order. @throws ApiError */
export async function decideBatch(batch: Batch): Promise<readonly Decided[]> {
  const response = await post('/v1/approvals/decide-batch', batch, BATCH_TIMEOUT_MS);
  const text = await response.text();
  if (!response.ok) throw failed(response, text);
  return (JSON.parse(text) as readonly { readonly answer: BatchAnswer }[]).map(({ answer }) => decidedOf(answer));
}

function decidedOf({ type, message, reason, gateStatus }: BatchAnswer): Decided {
  if (type === 'accepted') return { type, gateStatus: gateStatus ?? 'open', message };
  if (type === 'undecided') return { type, message };
  return { type: 'refused', problem: { status: 409, title: 'Refused', detail: message, ...(reason === undefined ? {} : { reason }) } };
}

/** Asks a run to stop. @throws ApiError */
export async function cancelRun(agentRunId: string): Promise<void> {
  const response = await post(`/v1/runs/${encodeURIComponent(agentRunId)}/cancel`, undefined);
  if (!response.ok) throw failed(response, await response.text());
}

export interface NewFeedback {
  readonly score: 1 | -1;
  readonly comment?: string;
  /** The same one again changes nothing. */
  readonly feedbackId: string;
}

/** Keeps what this person thinks of a run. @throws ApiError */
export async function giveFeedback(agentRunId: string, feedback: NewFeedback): Promise<void> {
  const response = await post(`/v1/runs/${encodeURIComponent(agentRunId)}/feedback`, feedback);
  if (!response.ok) throw failed(response, await response.text());
}

function post(path: string, body: unknown, timeoutMs = TIMEOUT_MS): Promise<Response> {
  const headers = { ...(me?.csrfToken ? { 'x-tollgate-csrf': me.csrfToken } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const signal = AbortSignal.timeout(timeoutMs);
  return send(path, { method: 'POST', headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init, credentials: 'same-origin', redirect: 'error' });
  } catch (error) {
    if (init.signal?.aborted && error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError({ status: 0, title: 'No answer', detail: 'The API does not answer. Is "tollgate serve" running, and is this machine online?' });
  }
}

function failed(response: Response, text: string): ApiError {
  const problem = problemOf(response, text);
  if (response.status === 401) onUnknown?.(problem);
  return new ApiError(problem);
}

function problemOf(response: Response, text: string): Problem {
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    if (typeof problem.detail === 'string') return { title: response.statusText, ...problem, detail: problem.detail, status: response.status };
  } catch {
    // A proxy in between speaks another language.
  }
  return { status: response.status, title: response.statusText, detail: `The API answered with status ${response.status}.` };
}

/** Whoever looks at the page; null before that is known. */
export function whoLooks(): Me | null {
  return me;
}

/** What became of something that was sent; where the API can't be reached, that is what became of it. */
export async function postAt(path: string, body?: unknown): Promise<{ readonly type: 'done' } | { readonly type: 'refused'; readonly problem: Problem }> {
  try {
    const response = await post(path, body);
    const text = await response.text();
    return response.ok ? { type: 'done' } : { type: 'refused', problem: failed(response, text).problem };
  } catch (error) {
    if (error instanceof ApiError) return { type: 'refused', problem: error.problem };
    throw error;
  }
}
