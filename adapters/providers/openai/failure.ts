import { APIConnectionError, APIError, APIUserAbortError } from 'openai';
import type { JsonValue } from '../../../contracts/json.ts';
import type { TransportFault } from '../../../contracts/model.ts';
import { errorIn } from '../../../domain/model/error-body.ts';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import { providerRequestIdOf } from './request-id.ts';
import { readUsage } from './usage.ts';

const MAX_MESSAGE_LENGTH = 1_000;
const KEPT_HEADERS =
  /^((llm_provider-)?(retry-after|retry-after-ms|x-ratelimit-[a-z-]+|anthropic-ratelimit-[a-z-]+)|x-ms-retry-after-ms|x-should-retry|x-request-id|request-id|x-litellm-[a-z-]+|helicone-[a-z-]+|x-portkey-retry-attempt-count)$/;

/** What went wrong, as a value; headers only from a list that holds no secret. */
export function toFailure(error: unknown): ProviderResult {
  if (error instanceof APIUserAbortError || (error as { name?: string })?.name === 'AbortError' || (error as { name?: string })?.name === 'TimeoutError')
    return { type: 'failure', signal: { transport: 'timeout' }, message: 'No reply within the deadline; the wait was given up.' };
  if (error instanceof APIError && error.status !== undefined) {
    const headers = Object.fromEntries(
      [...(error.headers as Headers)].filter(([name]) => KEPT_HEADERS.test(name.toLowerCase())).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const body = (error.error ?? error.message) as JsonValue;
    return {
      type: 'failure',
      signal: { status: error.status as number, headers, body },
      message: `HTTP ${error.status}: ${error.message}`.slice(0, MAX_MESSAGE_LENGTH),
      ...providerRequestIdOf(error.headers as Headers | undefined),
    };
  }
  const transport = transportFault(error);
  const what = error instanceof APIConnectionError && error.cause instanceof Error ? error.cause.message : String((error as Error)?.message ?? error);
  return { type: 'failure', signal: { transport }, message: `The connection failed (${transport}): ${what}`.slice(0, MAX_MESSAGE_LENGTH) };
}

/** An error that came as a reply, as gateways send it once work has begun; null where the reply is none. */
export function errorInReply(body: unknown): ProviderResult | null {
  const isError = errorIn(body as JsonValue) !== null;
  return isError
    ? {
        type: 'failure',
        signal: { status: 200, body: body as JsonValue },
        begun: true,
        usage: readUsage((body as { usage?: unknown }).usage),
        message: `An error inside a reply: ${JSON.stringify(body)}`.slice(0, MAX_MESSAGE_LENGTH),
      }
    : null;
}

const NEVER_SENT: Readonly<Record<string, TransportFault>> = {
  ECONNREFUSED: 'ECONNREFUSED',
  ENOTFOUND: 'ENOTFOUND',
  EAI_AGAIN: 'ENOTFOUND',
  UND_ERR_CONNECT_TIMEOUT: 'ECONNREFUSED',
};

/** The fault behind an error, by the codes along its causes. A fault nobody knows may have reached the provider. */
function transportFault(error: unknown): TransportFault {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth += 1) {
    const code = String((current as NodeJS.ErrnoException).code ?? '');
    const known = NEVER_SENT[code];
    if (known) return known;
    if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ERR_SSL)/.test(code)) return 'TLS';
    if (code === 'ETIMEDOUT' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return 'timeout';
    // Several addresses were tried and each refused.
    if (current instanceof AggregateError && current.errors.every((each) => (each as NodeJS.ErrnoException).code === 'ECONNREFUSED')) return 'ECONNREFUSED';
  }
  return 'ECONNRESET';
}
