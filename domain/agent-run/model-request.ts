import type { ModelRequest, ModelToolCall, OutputFormat, TranscriptMessage } from '../../contracts/model.ts';
import type { CallMode } from '../../contracts/agent-run.ts';
import type { CandidateSnapshot, TaskDefinition, TaskSnapshot } from '../../contracts/task.ts';
import { asData } from '../redaction/sanitise.ts';
import { fitsStrictMode } from '../model/strict-schema.ts';

const WRAP_UP_TEXT =
  'The budget of this task is nearly used up. Answer now, from what you know, in plain words and without calling a tool. Say what is left undone.';

const WAITS_TEXT = 'Not carried out yet: it waits, for people to approve it or for its turn.';

const MARKS_TEXT = 'A mark such as ⟦email:1⟧ stands for a value that is kept from you, always the same one. Write the mark where you mean the value.';

/**
 * The request that a step sends: prompt, transcript, tools, and the schema of the answer. A wrap-up asks for a last answer in
 * words and forbids tools, and so does a question at a gate, which is the last message.
 */
export function modelRequest(snapshot: TaskSnapshot, candidate: CandidateSnapshot, transcript: readonly TranscriptMessage[], mode: CallMode): ModelRequest {
  const { task } = snapshot;
  const outputFormat = mode === 'step' ? outputFormatOf(task) : null;
  const isSent = candidate.structuredOutput !== false;
  const parts = [task.prompt, ...(outputFormat && !isSent ? [schemaInWords(outputFormat)] : []), ...marksInWords(transcript)];
  const messages: TranscriptMessage[] = [
    { role: 'system', text: parts.join('\n\n') },
    ...answered(transcript, mode === 'answer' ? WAITS_TEXT : notCarriedOut(task.limits.maxToolCallsPerStep)),
  ];
  if (mode === 'wrapUp') messages.push({ role: 'user', text: WRAP_UP_TEXT });
  return {
    model: candidate.wireModel,
    api: candidate.api,
    messages,
    tools: task.tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
    ...(mode === 'step' ? {} : { toolChoice: 'none' as const }),
    ...(outputFormat && isSent ? { outputFormat } : {}),
    maxOutputTokens: task.maxOutputTokens,
    background: candidate.background,
    ...(candidate.stream ? { stream: true } : {}),
  };
}

/** What the marks in the transcript mean, where it has any. */
function marksInWords(transcript: readonly TranscriptMessage[]): string[] {
  return transcript.some(({ text }) => text?.includes('⟦')) ? [MARKS_TEXT] : [];
}

/** The name may have letters, digits, "_" and "-" only. */
function outputFormatOf({ name, outputSchema: schema }: TaskDefinition): OutputFormat | null {
  return schema ? { name: name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64), schema, strict: fitsStrictMode(schema) } : null;
}

function schemaInWords({ schema }: OutputFormat): string {
  return `Your final answer is one JSON object and nothing else. It fits this JSON Schema: ${JSON.stringify(schema)}`;
}

/**
 * The transcript with an answer to every tool call. Results stand right after their reply; endpoints refuse a call that has
 * none, so calls beyond the limit, cut off by a wrap-up, or that wait while a person asks, are answered here by `text`.
 */
function answered(transcript: readonly TranscriptMessage[], text: string): TranscriptMessage[] {
  const messages: TranscriptMessage[] = [];
  let unanswered: readonly ModelToolCall[] = [];
  for (const message of transcript) {
    if (message.role === 'tool') {
      unanswered = withoutFirst(unanswered, message.toolCallId);
    } else {
      messages.push(...unanswered.map((call) => withoutResult(call, text)));
      unanswered = message.role === 'assistant' ? message.toolCalls : [];
    }
    messages.push(message.role === 'tool' && message.flags ? { ...message, text: asData(message.text, message.flags) } : message);
  }
  return [...messages, ...unanswered.map((call) => withoutResult(call, text))];
}

/** Ids of calls may be the same for several of one reply. */
function withoutFirst(calls: readonly ModelToolCall[], toolCallId: string): readonly ModelToolCall[] {
  const at = calls.findIndex((call) => call.toolCallId === toolCallId);
  return at === -1 ? calls.slice(1) : calls.toSpliced(at, 1);
}

function withoutResult({ toolCallId, name }: ModelToolCall, text: string): TranscriptMessage {
  return { role: 'tool', toolCallId, name, text, isError: true };
}

function notCarriedOut(limit: number): string {
  return `Not carried out: at most ${limit} tool calls of one reply are. Ask again for what is still needed.`;
}
