import type { Fault } from './scenario.ts';
import type { RefusedRequest, WireRequest } from './wire-request.ts';

const DEFAULT_RETRY_AFTER_MS = 1_000;

/** An HTTP error as OpenAI words it. */
export interface WireError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string | null } };
}

/** The error that a fault answers with before any work is done, or null where the fault is of another kind. */
export function refusalFor(fault: Fault | null, request: WireRequest): WireError | null {
  switch (fault?.type) {
    case 'rateLimit':
      return wireError(429, `Rate limit reached for ${request.model}. Please try again later.`, 'requests', 'rate_limit_exceeded', {
        headers: retryAfter(fault.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS),
      });
    case 'quota':
      return wireError(429, 'You exceeded your current quota, please check your plan and billing details.', 'insufficient_quota', 'insufficient_quota');
    case 'serverError':
      return wireError(500, 'The server had an error while processing your request. Sorry about that!', 'server_error', null);
    case 'overloaded':
      return wireError(503, 'The engine is currently overloaded, please try again later.', 'service_unavailable_error', null, {
        headers: fault.retryAfterMs === undefined ? {} : retryAfter(fault.retryAfterMs),
      });
    case 'auth':
      return wireError(401, 'Incorrect API key provided.', 'invalid_request_error', 'invalid_api_key');
    case 'modelNotFound':
      return modelNotFound(request.model);
    case 'contextLength': {
      const message = 'Your input exceeds the context window of this model. Please adjust your input and try again.';
      return wireError(400, message, 'invalid_request_error', 'context_length_exceeded', { param: request.api === 'chat' ? 'messages' : 'input' });
    }
    case 'contentFilter': {
      const message = "The response was filtered due to the prompt triggering the provider's content management policy.";
      return fault.asError ? wireError(400, message, 'invalid_request_error', 'content_filter', { param: 'prompt' }) : null;
    }
    case 'failedResponse':
      return request.api === 'chat' ? wireError(500, 'The model produced an error.', 'server_error', 'server_error') : null;
    default:
      return null;
  }
}

/** The answer to a model that is not on the price list. */
export function modelNotFound(model: string): WireError {
  return wireError(404, `The model \`${model}\` does not exist or you do not have access to it.`, 'invalid_request_error', 'model_not_found', {
    param: 'model',
  });
}

/** The answer to a request that a script in code has no turn for. */
export function unscripted(why: string): WireError {
  return wireError(400, why, 'invalid_request_error', 'unscripted');
}

/** The answer to a request that broke a rule. */
export function wireErrorOf(refused: RefusedRequest): WireError {
  return wireError(refused.status, refused.message, 'invalid_request_error', refused.code, { param: refused.param });
}

function wireError(
  status: number,
  message: string,
  type: string,
  code: string | null,
  extra: { readonly headers?: Readonly<Record<string, string>>; readonly param?: string | null } = {},
): WireError {
  return { status, headers: extra.headers ?? {}, body: { error: { message, type, param: extra.param ?? null, code } } };
}

function retryAfter(milliseconds: number): Record<string, string> {
  return { 'retry-after': String(Math.ceil(milliseconds / 1000)), 'retry-after-ms': String(milliseconds) };
}
