import { createHmac } from 'node:crypto';
import type { SendResult } from '../../domain/notification/deliver.ts';
import { SEND_TIMEOUT_MS } from '../../domain/notification/deliver.ts';
import type { NotificationMessage } from '../../domain/notification/message.ts';
import { createGuardedFetch } from '../tools/guarded-fetch.ts';

const MAX_ANSWER_BYTES = 65_536;
/** Nobody is there any more, or the body is refused whatever happens. Everything else may pass. */
const FINAL = new Set([400, 401, 403, 404, 405, 410, 413, 422]);

export interface PostOptions {
  readonly url: string;
  readonly allowLoopback: boolean;
  readonly timeoutMs?: number;
}

/** Posts JSON by the rules for addresses. Never throws; the URL is in no reason, since it may be secret. */
export async function post(
  { url, allowLoopback, timeoutMs = SEND_TIMEOUT_MS }: PostOptions,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<SendResult> {
  try {
    const send = createGuardedFetch({ allowLoopback, maxBodyBytes: MAX_ANSWER_BYTES });
    const answer = await send(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'tollgate', ...headers },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await answer.body?.cancel();
    if (answer.ok) return { type: 'sent' };
    return { type: 'failed', isFinal: FINAL.has(answer.status), reason: `it answered ${answer.status}` };
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException;
    const isRefused = name === 'NotSentError' || (error as Error).constructor.name === 'NotSentError';
    return { type: 'failed', isFinal: isRefused, reason: isRefused ? 'its address is not allowed' : `no answer (${code ?? name})` };
  }
}

/** Signed by the Standard Webhooks scheme; the receiver refuses what is old, and knows a repetition by its `webhook-id`. */
export function webhookSender(options: PostOptions, secret: string, now: () => number = Date.now): (message: NotificationMessage) => Promise<SendResult> {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret, 'utf8');
  return async ({ eventId, event, atMs, title, link, gate }) => {
    const body = JSON.stringify({ type: event, timestamp: new Date(atMs).toISOString(), data: { title, link, gate } });
    const timestamp = String(Math.floor(now() / 1_000));
    const signature = createHmac('sha256', key).update(`${eventId}.${timestamp}.${body}`).digest('base64');
    return await post(options, body, { 'webhook-id': eventId, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` });
  };
}
