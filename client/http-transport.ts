import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { FAILURES, type FailureType, TollgateError } from '../contracts/failures.ts';
import { type Problem, problemSchema } from './http/schemas.ts';

/** How long an ordinary request may take, in milliseconds: a decision waits up to ten seconds for a worker. */
const REQUEST_TIMEOUT_MS = 20_000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

export interface HttpAgentClientOptions {
  /** Base URL of the API, such as `http://127.0.0.1:7480`. */
  readonly url: string;
  /** A key, `tg_…`. Without one the API takes only the developer at its own machine. */
  readonly token?: string;
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** A problem that the API answered with, as an error of the failure type that it names. */
export class HttpProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'HttpProblem';
    this.problem = problem;
  }
}

/** Requests to one API. The token goes to that address only: redirects are not followed. */
export class HttpTransport {
  readonly #base: string;
  readonly #token: string | undefined;

  constructor({ url, token }: HttpAgentClientOptions) {
    this.#base = url.replace(/\/+$/, '');
    this.#token = token;
  }

  /** The answer as `schema` reads it. @throws TollgateError or HttpProblem. */
  async json<Schema extends z.ZodType>(schema: Schema, request: HttpRequest): Promise<z.output<Schema>> {
    return (await this.answer(schema, request)).body;
  }

  async answer<Schema extends z.ZodType>(schema: Schema, request: HttpRequest): Promise<{ readonly status: number; readonly body: z.output<Schema> }> {
    const response = await this.open({ ...request, timeoutMs: request.timeoutMs ?? REQUEST_TIMEOUT_MS });
    const parsed = schema.safeParse(await this.#read(response));
    if (parsed.success) return { status: response.status, body: parsed.data };
    throw this.#unavailable(`it answered ${request.path} with something else than expected: ${parsed.error.issues[0]?.message ?? ''}`);
  }

  /** A response that is no problem; its body is the caller's to read. */
  async open({ method = 'GET', path, query, body, accept = 'application/json', signal, timeoutMs }: HttpRequest): Promise<Response> {
    const given = Object.entries(query ?? {}).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]));
    const url = `${this.#base}${path}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
    const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)].filter((one) => one !== undefined);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        redirect: 'error',
        headers: {
          accept: `${accept}, application/problem+json`,
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unavailable(reasonOf(error), error);
    }
    if (response.ok) return response;
    const problem = problemSchema.safeParse(await this.#read(response));
    if (problem.success) throw new HttpProblem(problem.data);
    throw this.#unavailable(`it answered with status ${response.status}, and not as a Tollgate API does`);
  }

  async #read(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch (error) {
      if (response.ok) throw this.#unavailable(reasonOf(error), error);
      return null;
    }
  }

  #unavailable(reason: string, cause?: unknown): TollgateError {
    return new TollgateError(
      'apiUnavailable',
      `No Tollgate API answers at ${this.#base} (${reason}). Start one with "npx tollgate serve", or correct or unset TOLLGATE_URL.`,
      { cause },
    );
  }
}

/** The error of a call to the API, in our own words. */
export function toTollgateError(error: unknown): unknown {
  if (!(error instanceof HttpProblem)) return error;
  const { failureType, detail } = error.problem;
  return new TollgateError(failureType in FAILURES ? (failureType as FailureType) : 'invariantBroken', detail, { cause: error });
}

/** What a connection dies of that stood before: somebody was there. */
const LOST = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];
const MAX_FIRST_LOSSES = 4;
/** How often nobody may be there after that: an API that starts again takes seconds. */
const MAX_TRIES_TO_COME_BACK = 10;

/** Waits before the next try after a failure that may get better. */
export class Patience {
  #waitMs = 0;
  #tries = 0;
  #losses = 0;
  #hasWorked = false;

  worked(): void {
    this.#hasWorked = true;
    this.#waitMs = 0;
  }

  /** @throws `error` where it will not get better, or where nothing worked before and it looks as if nobody were there. */
  async after(error: unknown, signal?: AbortSignal): Promise<void> {
    this.#tries += 1;
    const translated = toTollgateError(error);
    const isLost = LOST.includes(codeOf(error) ?? '');
    if (isLost) this.#losses += 1;
    // Whoever broke a connection off may be starting again, and then refuses the next ones.
    const mayComeBack = isLost ? this.#losses < MAX_FIRST_LOSSES : this.#losses > 0 && this.#tries < MAX_TRIES_TO_COME_BACK;
    const isWorthATry = this.#hasWorked || mayComeBack;
    if (!isWorthATry || !(translated instanceof TollgateError) || !FAILURES[translated.type].retryable || translated.type === 'invariantBroken')
      throw translated;
    this.#waitMs = Math.min(MAX_RETRY_MS, Math.max(FIRST_RETRY_MS, this.#waitMs * 2));
    await sleep(this.#waitMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

function rootOf(error: unknown): unknown {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return current;
}

function codeOf(error: unknown): string | undefined {
  return (rootOf(error) as { readonly code?: string } | undefined)?.code;
}

function reasonOf(error: unknown): string {
  const root = rootOf(error);
  if (root instanceof Error && root.name === 'TimeoutError') return 'no answer in time';
  return codeOf(error) ?? (root instanceof Error ? root.message : String(root));
}
