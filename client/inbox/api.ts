import type { Decided, Decision, Me, Problem } from './types.ts';

/** Longer than the API itself waits for a worker's answer. */
const TIMEOUT_MS = 20_000;

/** An answer that is none. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const DEVELOPER: Me = { name: 'developer', displayName: 'developer', roles: ['*'], tenant: null, scopes: ['start', 'read', 'decide'], signedIn: false };
let me: Me | null = null;

/** Who looks at the page; an API without sign-in takes this machine's developer. @throws ApiError */
export async function loadMe(): Promise<Me> {
  try {
    me = JSON.parse(await getText('/v1/me')) as Me;
  } catch (error) {
    if (!(error instanceof ApiError && error.problem.status === 404)) throw error;
    me = DEVELOPER;
  }
  return me;
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
  if (!response.ok) throw new ApiError(problemOf(response, text));
  return text;
}

/** Sends a decision about exactly the action that `actionDigest` names. @throws ApiError where the API was not reached. */
export async function decide(approvalId: string, decision: Decision): Promise<Decided> {
  const response = await post(`/v1/approvals/${encodeURIComponent(approvalId)}/decisions`, decision);
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Decided;
  const problem = problemOf(response, text);
  if (response.status === 401 || response.status >= 500) throw new ApiError(problem);
  return { type: 'refused', problem };
}

/** Asks a run to stop. @throws ApiError */
export async function cancelRun(agentRunId: string): Promise<void> {
  const response = await post(`/v1/runs/${encodeURIComponent(agentRunId)}/cancel`, undefined);
  if (!response.ok) throw new ApiError(problemOf(response, await response.text()));
}

function post(path: string, body: unknown): Promise<Response> {
  const headers = { ...(me?.csrfToken ? { 'x-tollgate-csrf': me.csrfToken } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  return send(path, { method: 'POST', headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init, credentials: 'same-origin', redirect: 'error' });
  } catch (error) {
    if (init.signal?.aborted && error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError({ status: 0, title: 'No answer', detail: 'The API does not answer. Is "tollgate serve" running, and is this machine online?' });
  }
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
    return response.ok ? { type: 'done' } : { type: 'refused', problem: problemOf(response, text) };
  } catch (error) {
    if (error instanceof ApiError) return { type: 'refused', problem: error.problem };
    throw error;
  }
}
