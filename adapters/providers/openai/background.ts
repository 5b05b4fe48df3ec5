import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import { readBody } from './answer-body.ts';
import { toFailure } from './failure.ts';
import { readResponse } from './responses-mapping.ts';

const FIRST_POLL_MS = 250;
const SLOWEST_POLL_MS = 2_000;
/** A response that was just made may not be found at once everywhere at the provider. */
const TRIES_TO_FIND = 3;
/** Answers to a question about a response that say nothing of the response itself. */
const PASSING_STATUS = [408, 409, 425, 429];

/**
 * Waits for a background response by asking for it, ever less often, until it has ended or `signal` aborts. A question that
 * fails is asked again: what went wrong with it says nothing of the response. Nothing that comes of it is free of charge.
 */
export async function awaitBackground(client: OpenAI, responseId: string, model: string, signal: AbortSignal): Promise<ProviderResult> {
  let notFound = 0;
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(SLOWEST_POLL_MS, pauseMs * 1.5)) {
    const asked = await ask(client, responseId, model, signal);
    if (asked.type === 'ended') return asked.result;
    if (asked.type === 'notFound') notFound += 1;
    if (notFound >= TRIES_TO_FIND) return gone(responseId);
    try {
      await sleep(pauseMs, undefined, { signal });
    } catch (error) {
      return begun(toFailure(error));
    }
  }
}

type Asked = { readonly type: 'pending' | 'notFound' } | { readonly type: 'ended'; readonly result: ProviderResult };

async function ask(client: OpenAI, responseId: string, model: string, signal: AbortSignal): Promise<Asked> {
  try {
    const body = await readBody(await client.responses.retrieve(responseId, {}, { signal }).asResponse());
    const read = readResponse(body.json, model);
    if (read.type === 'ended' && read.result.type === 'unusable' && !isResponse(body.json)) return { type: 'pending' };
    return read.type === 'ended' ? { type: 'ended', result: begun(read.result) } : { type: 'pending' };
  } catch (error) {
    const failure = toFailure(error);
    if (failure.type !== 'failure' || signal.aborted) return { type: 'ended', result: begun(failure) };
    const { status } = failure.signal;
    if (status === 404 || status === 410) return { type: 'notFound' };
    const isPassing = status === undefined || status >= 500 || PASSING_STATUS.includes(status);
    return isPassing ? { type: 'pending' } : { type: 'ended', result: begun(failure) };
  }
}

function isResponse(json: unknown): boolean {
  return typeof (json as { status?: unknown } | undefined)?.status === 'string';
}

function begun(result: ProviderResult): ProviderResult {
  return result.type === 'failure' ? { ...result, begun: true } : result;
}

function gone(responseId: string): ProviderResult {
  const message = `The provider does not know the response ${responseId} (any more); whether it was paid for is not known, so its money stays held.`;
  return { type: 'failure', signal: { transport: 'ECONNRESET' }, begun: true, message };
}
