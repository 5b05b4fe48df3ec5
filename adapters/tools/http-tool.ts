import { TollgateError } from '../../contracts/failures.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { ToolBindingRuntime, ToolContext, ToolDispatch, ToolReconciliation } from '../../domain/tool/runtime-port.ts';
import { type GuardedResponse, guardedRequest, NotSentError } from './guarded-request.ts';

export interface HttpRuntimeOptions {
  readonly allowLoopback: boolean;
  readonly secret: (name: string) => string | undefined;
}

/** Answers that say for certain that nothing was done. */
export const NOT_DONE_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404, 422]);
const MAX_DETAIL_LENGTH = 1_000;

/** `POST <url>/<tool>` with an Idempotency-Key; `GET <url>/<tool>/outcomes/<key>` says what became of one. */
export function createHttpRuntime(options: HttpRuntimeOptions): ToolBindingRuntime {
  return {
    destination: (tool) => toolUrl(tool),
    dispatch: async (tool, args, context) => {
      const missing = missingSecret(tool, options);
      if (missing) return { type: 'notDone', message: `The secret "${missing}" that tool "${tool.name}" needs is not set on this worker.` };
      try {
        return outcomeOf(await guardedRequest(toolUrl(tool), { ...requestOptions(tool, options, context), method: 'POST', body: JSON.stringify(args) }));
      } catch (error) {
        if (error instanceof NotSentError) return { type: 'notDone', message: error.message };
        return { type: 'unknown', message: `No answer from ${toolUrl(tool)}: ${(error as Error).message}` };
      }
    },
    reconcile: (tool, _args: JsonObject, context) => reconcile(tool, options, context),
  };
}

async function reconcile(tool: ToolDefinition, options: HttpRuntimeOptions, context: ToolContext): Promise<ToolReconciliation> {
  try {
    const url = toolUrl(tool, 'outcomes', context.idempotencyKey);
    const { status, json } = await guardedRequest(url, { ...requestOptions(tool, options, context), method: 'GET' });
    if (status !== 200 || typeof json !== 'object' || json === null || Array.isArray(json)) return { type: 'unknown' };
    const said = json as JsonObject;
    if (said.status === 'done') return { type: 'done', result: said.result ?? null };
    // A destination with this door answers by key, so it keeps the keys it has seen.
    return said.status === 'notDone' ? { type: 'notDone', honoursIdempotencyKey: true } : { type: 'unknown' };
  } catch {
    return { type: 'unknown' };
  }
}

function outcomeOf({ status, json, text }: GuardedResponse): ToolDispatch {
  if (status >= 200 && status < 300)
    return json === undefined ? { type: 'unknown', message: `HTTP ${status} with a body that is no JSON.` } : { type: 'done', result: json };
  const message = `HTTP ${status}${text.trim() === '' ? '' : `: ${text.trim().slice(0, MAX_DETAIL_LENGTH)}`}`;
  if (NOT_DONE_STATUSES.has(status)) return { type: 'notDone', message };
  return { type: 'unknown', message: status >= 300 && status < 400 ? `${message} (redirects are not followed)` : message };
}

function httpBinding(tool: ToolDefinition) {
  if (tool.binding.type !== 'http') throw new TollgateError('invariantBroken', `Tool "${tool.name}" is bound to ${tool.binding.type}, not to http.`);
  return tool.binding;
}

/** `<url>/<tool>[/…]`; a query of the configured URL stays behind the path. */
function toolUrl(tool: ToolDefinition, ...below: readonly string[]): string {
  const url = new URL(httpBinding(tool).url);
  url.pathname = [url.pathname.replace(/\/+$/, ''), ...[tool.name, ...below].map(encodeURIComponent)].join('/');
  url.hash = '';
  return url.href;
}

function missingSecret(tool: ToolDefinition, { secret }: HttpRuntimeOptions): string | undefined {
  return Object.values(httpBinding(tool).secretHeaders ?? {}).find((name) => !secret(name));
}

function requestOptions(tool: ToolDefinition, { secret, allowLoopback }: HttpRuntimeOptions, context: ToolContext) {
  const { secretHeaders = {}, timeoutMs } = httpBinding(tool);
  const secrets = Object.fromEntries(Object.entries(secretHeaders).map(([header, name]) => [header.toLowerCase(), secret(name)?.trim() ?? '']));
  // Ours come last: a task must not replace the key that makes a call repeatable.
  const headers: Record<string, string> = {
    ...secrets,
    'content-type': 'application/json',
    accept: 'application/json',
    'idempotency-key': context.idempotencyKey,
    ...(context.traceparent === undefined ? {} : { traceparent: context.traceparent }),
  };
  const signal = timeoutMs === undefined ? context.signal : AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)]);
  return { headers, signal, allowLoopback };
}
