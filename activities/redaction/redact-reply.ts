import type { JsonValue } from '../../contracts/json.ts';
import type { ModelReply, ModelToolCall } from '../../contracts/model.ts';
import type { ModelEndpoint, ProviderResult } from '../../domain/model/provider-port.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import { persist } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { orMasked } from './or-masked.ts';
import { redactForRun, type RunOfText } from './run-redaction.ts';
import { runOfText } from './run-of-text.ts';

/** An endpoint whose answers are fit to be journalled. */
export function redactingEndpoint(ports: ActivityPorts, attempt: AttemptRecord, endpoint: ModelEndpoint): ModelEndpoint {
  return {
    ...endpoint,
    send: async (request, options) => await redactedResult(ports, attempt, await endpoint.send(request, options)),
    awaitResponse: async (responseId, options) => await redactedResult(ports, attempt, await endpoint.awaitResponse(responseId, options)),
  };
}

/**
 * What a provider answered: text redacted, arguments tokenised or blocked, error messages masked. A reply is paid for, so it never
 * gets lost here: where the vault can't be had, values are masked and gone.
 */
async function redactedResult(ports: ActivityPorts, { runKey, attemptId }: AttemptRecord, result: ProviderResult): Promise<ProviderResult> {
  const run = await persist(() => runOfText(ports.store, runKey));
  if (result.type !== 'reply') return { ...result, message: createScrubber(ports.redaction).text(result.message, run) };
  const reply = await persist(() =>
    orMasked(
      () => redactedReply(ports, run, attemptId, result.reply),
      () => maskedReply(ports, run, result.reply),
    ),
  );
  return { ...result, reply };
}

async function redactedReply(ports: ActivityPorts, run: RunOfText, attemptId: string, reply: ModelReply): Promise<ModelReply> {
  const where = { attemptId };
  const blocked = new Set<string>();
  let isChanged = false;
  const redact = async <T extends JsonValue>(value: T): Promise<T> => {
    const redacted = await redactForRun(ports, run, { place: 'reply', genuine: 'ofRun', where }, value);
    for (const type of redacted.blocked) blocked.add(type);
    isChanged ||= JSON.stringify(redacted.value) !== JSON.stringify(value);
    return redacted.value;
  };
  const text = reply.text === null ? null : await redact(reply.text);
  const refusal = reply.refusal === null ? null : await redact(reply.refusal);
  const toolCalls: ModelToolCall[] = [];
  for (const call of reply.toolCalls) {
    const redacted = await redactedCall(ports, run, where, call);
    isChanged ||= redacted !== call;
    toolCalls.push(redacted);
  }
  await redact(summariesOf(reply.providerItems ?? []));
  const { providerItems, providerItemsFor, ...rest } = reply;
  // They go back to the model unchanged or not at all.
  const items = isChanged || providerItems === undefined ? {} : { providerItems, ...(providerItemsFor === undefined ? {} : { providerItemsFor }) };
  return { ...rest, text, refusal, toolCalls, ...items, ...(blocked.size > 0 ? { blocked: [...blocked] } : {}) };
}

/** The same object where nothing was found. */
async function redactedCall(ports: ActivityPorts, run: RunOfText, where: { readonly attemptId: string }, call: ModelToolCall): Promise<ModelToolCall> {
  const args = parsed(call.argumentsText);
  const isJson = args !== undefined;
  const place = isJson ? 'toolArguments' : 'reply';
  const exit = { place, genuine: 'ofRun', where: { ...where, tool: call.name.slice(0, 64) } } as const;
  const { value, blocked } = await redactForRun(ports, run, exit, isJson ? args : call.argumentsText);
  const argumentsText = isJson ? JSON.stringify(value) : String(value);
  const isSame = argumentsText === (isJson ? JSON.stringify(args) : call.argumentsText);
  if (isSame && blocked.length === 0) return call;
  return { ...call, argumentsText, ...(blocked.length > 0 ? { blocked } : {}) };
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** What a model says of its reasoning in plain words. */
function summariesOf(items: readonly JsonValue[]): JsonValue {
  return items.flatMap((item) => {
    const { type, summary, content } = item as { type?: unknown; summary?: JsonValue; content?: JsonValue };
    return type === 'reasoning' ? [summary ?? null, content ?? null] : [];
  });
}

function maskedReply({ redaction }: ActivityPorts, run: RunOfText, { providerItems: _items, providerItemsFor: _for, ...reply }: ModelReply): ModelReply {
  const scrub = createScrubber(redaction);
  const toolCalls = reply.toolCalls.map((call): ModelToolCall => {
    const args = parsed(call.argumentsText);
    const shown = args === undefined ? scrub.text(call.argumentsText, run) : JSON.stringify(scrub.json(args, run));
    return shown === (args === undefined ? call.argumentsText : JSON.stringify(args)) ? call : { ...call, argumentsText: shown, blocked: ['noVault'] };
  });
  return { ...reply, text: reply.text && scrub.text(reply.text, run), refusal: reply.refusal && scrub.text(reply.refusal, run), toolCalls };
}
