import { createHash } from 'node:crypto';
import type { CallContext } from '../../../domain/model/provider-port.ts';

/** A gateway whose own headers say whom a call is for. */
export type GatewayKind = 'litellm' | 'helicone' | 'openrouter' | 'none';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The gateway that an endpoint is, by whoever runs it or by its address. */
export function gatewayKindOf(provider: string, baseUrl: string | undefined): GatewayKind {
  if (provider === 'litellm') return 'litellm';
  const host = baseUrl === undefined ? '' : new URL(baseUrl).hostname;
  if (provider === 'helicone' || host.endsWith('.helicone.ai')) return 'helicone';
  return provider === 'openrouter' || host === 'openrouter.ai' ? 'openrouter' : 'none';
}

/**
 * Headers that hang a gateway's spans below ours, name the call in its log, and keep it from trying again: one place retries,
 * and every hidden try would be billed. Values that no header can hold are escaped, since nothing here may fail a call.
 */
export function gatewayHeaders(kind: GatewayKind, call: CallContext): Record<string, string> {
  const { traceparent, session, task, tenant, feature, requester, promptVersion, agentRunId, attemptId, step } = call;
  const headers: Record<string, string> = { traceparent };
  if (kind === 'litellm')
    Object.assign(headers, {
      'x-litellm-tags': [`task:${task}`, `tenant:${tenant}`, `feature:${feature}`].map((tag) => tag.replaceAll(',', ' ')).join(','),
      'x-litellm-session-id': session,
      'x-litellm-end-user-id': requester,
      'x-litellm-spend-logs-metadata': JSON.stringify({ agentRunId, step, attemptId, promptVersion }),
      'x-litellm-num-retries': '0',
    });
  if (kind === 'helicone')
    Object.assign(headers, {
      'Helicone-Request-Id': asUuid(attemptId),
      'Helicone-User-Id': requester,
      'Helicone-Session-Id': session,
      'Helicone-Session-Name': task,
      'Helicone-Session-Path': `/${encodeURIComponent(task)}/step-${step}`,
      'Helicone-Property-Tenant': tenant,
      'Helicone-Property-Feature': feature,
      'Helicone-Property-AgentRunId': agentRunId,
      'Helicone-Property-PromptVersion': promptVersion,
      'Helicone-Retry-Enabled': 'false',
      'Helicone-Cache-Enabled': 'false',
    });
  if (kind === 'openrouter') Object.assign(headers, { 'X-Title': 'Tollgate' });
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, printable(value)]));
}

/** An attempt's id as Helicone wants ids of requests. */
export function asUuid(attemptId: string): string {
  if (UUID.test(attemptId)) return attemptId;
  const hex = createHash('sha256').update(attemptId).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function printable(value: string): string {
  return value.replace(/[^\x20-\x7e]+/g, (found) => encodeURIComponent(found.toWellFormed())).trim();
}
