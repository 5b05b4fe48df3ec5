import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { AttemptId, RunKey, ToolCallId } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ModelToolCall, TranscriptMessage } from '../../contracts/model.ts';
import type { TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import { readCall } from '../model/reply-calls.ts';
import { readPlan } from './compensation-plan.ts';

export interface LoadedCall {
  readonly tool: ToolDefinition;
  readonly args: JsonObject;
  readonly toolCallId: ToolCallId;
  /** What the model said beside its calls. */
  readonly replyText: string | null;
}

/** A tool call of an accepted reply, or of a plan that undoes what was done, from the store. @throws TollgateError `journalMissing` where the reply is not there. */
export async function loadCall(store: Store, snapshot: TaskSnapshot, runKey: RunKey, attemptId: AttemptId, callIndex: number): Promise<LoadedCall> {
  const source = await sourceOf(store, runKey, attemptId, callIndex);
  const call = source?.calls[callIndex];
  if (!source || !call)
    throw new TollgateError(
      'journalMissing',
      `The store lacks the reply ${attemptId} with tool call ${callIndex + 1}, which history names. Nothing was sent. Restore the store, or cancel the run.`,
    );
  const read = readCall(snapshot, call);
  invariant(read.type === 'valid', `tool call ${callIndex} of ${attemptId} was valid when it was planned`);
  return { tool: read.tool, args: read.args, toolCallId: call.toolCallId, replyText: source.text };
}

async function sourceOf(
  store: Store,
  runKey: RunKey,
  attemptId: AttemptId,
  callIndex: number,
): Promise<{ readonly calls: readonly ModelToolCall[]; readonly text: string | null } | null> {
  const stored = await readPlan(store, runKey, attemptId);
  if (stored) return { calls: stored.calls, text: `This undoes "${stored.plan.undo[callIndex]?.tool}", because the run is over: ${stored.why}` };
  const reply = (await store.getAttempt(runKey, attemptId))?.reply;
  return reply ? { calls: reply.toolCalls, text: reply.text } : null;
}

const encoder = new TextEncoder();

/** A result as the model sees it, cut off at the task's limit with a note. `flags` where it came from outside: what was suspicious about it. */
export function resultMessage(call: LoadedCall, result: unknown, isError: boolean, maxBytes: number, flags?: readonly string[]): TranscriptMessage {
  const text = typeof result === 'string' ? result : JSON.stringify(result);
  return {
    role: 'tool',
    toolCallId: call.toolCallId,
    name: call.tool.name,
    text: cutOff(text ?? 'null', maxBytes, 'limits.maxToolResultBytes'),
    isError,
    ...(flags ? { flags } : {}),
  };
}

/** A text of at most `maxBytes` of UTF-8, with a note where it was longer. */
export function cutOff(text: string, maxBytes: number, limit: string): string {
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return text;
  const kept = new TextDecoder('utf-8').decode(bytes.subarray(0, maxBytes)).replace(/\uFFFD+$/, '');
  return `${kept}\n[cut off: it has ${bytes.length} bytes, ${limit} is ${maxBytes}]`;
}
