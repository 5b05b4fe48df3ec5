import type { ModelRequest, ModelToolCall, TranscriptMessage } from '../../contracts/model.ts';
import type { CandidateSnapshot, TaskSnapshot } from '../../contracts/task.ts';

const WRAP_UP_TEXT =
  'The budget of this task is nearly used up. Answer now, from what you know, in plain words and without calling a tool. Say what is left undone.';

/** The request that a step sends: prompt, transcript, tools. A wrap-up asks for a last answer and forbids tools. */
export function modelRequest(
  snapshot: TaskSnapshot,
  candidate: CandidateSnapshot,
  transcript: readonly TranscriptMessage[],
  mode: 'step' | 'wrapUp',
): ModelRequest {
  const { task } = snapshot;
  const messages: TranscriptMessage[] = [{ role: 'system', text: task.prompt }, ...answered(transcript, task.limits.maxToolCallsPerStep)];
  if (mode === 'wrapUp') messages.push({ role: 'user', text: WRAP_UP_TEXT });
  return {
    model: candidate.wireModel,
    api: candidate.api,
    messages,
    tools: task.tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
    ...(mode === 'wrapUp' ? { toolChoice: 'none' as const } : {}),
    maxOutputTokens: task.maxOutputTokens,
    background: candidate.background,
  };
}

/**
 * The transcript with an answer to every tool call. Results stand right after their reply, in its order; endpoints refuse
 * a call that has none, so calls beyond the limit, or cut off by a wrap-up, are answered here.
 */
function answered(transcript: readonly TranscriptMessage[], maxToolCallsPerStep: number): TranscriptMessage[] {
  const messages: TranscriptMessage[] = [];
  let unanswered: readonly ModelToolCall[] = [];
  for (const message of transcript) {
    if (message.role === 'tool') {
      unanswered = unanswered.slice(1);
    } else {
      messages.push(...unanswered.map((call) => notCarriedOut(call, maxToolCallsPerStep)));
      unanswered = message.role === 'assistant' ? message.toolCalls : [];
    }
    messages.push(message);
  }
  return [...messages, ...unanswered.map((call) => notCarriedOut(call, maxToolCallsPerStep))];
}

function notCarriedOut(call: ModelToolCall, limit: number): TranscriptMessage {
  const text = `Not carried out: at most ${limit} tool calls of one reply are. Ask again for what is still needed.`;
  return { role: 'tool', toolCallId: call.toolCallId, name: call.name, text, isError: true };
}
