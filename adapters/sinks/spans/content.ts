import type { TranscriptMessage } from '../../../contracts/model.ts';
import type { AttemptRecord, ToolCallRecord } from '../../../domain/store/port.ts';
import { GEN_AI } from '../../../telemetry/names.ts';
import type { Attributes } from '../../../telemetry/span.ts';
import type { SpanReads } from './reading-once.ts';
import type { RunView } from './run-view.ts';

/** Of one attribute. Backends cut off at some such size, and a long transcript is on every attempt again. */
const MAX_CONTENT_LENGTH = 32_768;

/** What was asked and answered, as the store has it: after redaction. Nothing unless content is switched on. */
export async function attemptContent(store: SpanReads, { withContent, run, snapshot }: RunView, attempt: AttemptRecord): Promise<Attributes> {
  if (!withContent) return {};
  const loaded = await store.loadTranscript(run.runKey, attempt.head);
  const messages = loaded.type === 'transcript' ? newest(loaded.messages.map(toMessage)) : [];
  const { reply } = attempt;
  const said = reply && toMessage({ role: 'assistant', text: reply.text ?? reply.refusal, toolCalls: reply.toolCalls });
  return {
    [GEN_AI.systemInstructions]: snapshot ? JSON.stringify([{ type: 'text', content: cut(snapshot.task.prompt) }]) : undefined,
    [GEN_AI.inputMessages]: JSON.stringify(messages),
    [GEN_AI.outputMessages]: said && reply ? JSON.stringify([{ ...said, finish_reason: reply.finishReason }]) : undefined,
  };
}

export function toolContent({ withContent }: RunView, call: ToolCallRecord, attempt: AttemptRecord | null): Attributes {
  if (!withContent) return {};
  const asked = attempt?.reply?.toolCalls[call.callIndex];
  return {
    [GEN_AI.toolCallId]: asked?.toolCallId,
    [GEN_AI.toolArguments]: asked && cut(asked.argumentsText),
    [GEN_AI.toolResult]: call.result === null ? undefined : cut(JSON.stringify(call.result)),
  };
}

/** The first message and the answer, so that a list of traces says what each was about. */
export async function runContent(store: SpanReads, { withContent, run }: RunView): Promise<Attributes> {
  if (!withContent) return {};
  const input = await store.loadTranscript(run.runKey, { attemptId: null, nodeIds: ['input'] });
  const answer = run.end?.outputAttemptId ? await store.getAttempt(run.runKey, run.end.outputAttemptId) : null;
  const output = answer?.reply?.text ?? run.end?.text;
  return {
    [GEN_AI.inputMessages]: input.type === 'transcript' ? JSON.stringify(input.messages.map(toMessage)) : undefined,
    [GEN_AI.outputMessages]: output ? JSON.stringify([toMessage({ role: 'assistant', text: output, toolCalls: [] })]) : undefined,
  };
}

interface Message {
  readonly role: string;
  readonly parts: readonly object[];
}

function toMessage(message: TranscriptMessage): Message {
  if (message.role === 'tool') return { role: 'tool', parts: [{ type: 'tool_call_response', id: message.toolCallId, response: cut(message.text) }] };
  const text = message.text === null ? [] : [{ type: 'text', content: cut(message.text) }];
  if (message.role !== 'assistant') return { role: message.role, parts: text };
  const calls = message.toolCalls.map(({ toolCallId, name, argumentsText }) => ({ type: 'tool_call', id: toolCallId, name, arguments: cut(argumentsText) }));
  return { role: 'assistant', parts: [...text, ...calls] };
}

/** The last messages that fit. */
function newest(messages: readonly Message[]): readonly Message[] {
  const kept: Message[] = [];
  let length = 0;
  for (const message of messages.toReversed()) {
    length += JSON.stringify(message).length;
    if (length > MAX_CONTENT_LENGTH && kept.length > 0) break;
    kept.unshift(message);
  }
  return kept;
}

function cut(text: string): string {
  return text.length > MAX_CONTENT_LENGTH ? `${text.slice(0, MAX_CONTENT_LENGTH)}…` : text;
}
