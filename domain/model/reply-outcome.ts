import type { ErrorVerdict, ModelReply } from '../../contracts/model.ts';
import { verdictFor } from './error-classifier.ts';

export type ReplyOutcome = { readonly type: 'usable' } | { readonly type: 'failed'; readonly verdict: ErrorVerdict; readonly message: string };

/** Whether a reply that came, and was paid for, can be used. A reply cut off at the limit can't: its tool calls may be cut too. */
export function outcomeOfReply(reply: ModelReply): ReplyOutcome {
  if (reply.refusal !== null) return { type: 'failed', verdict: verdictFor('refusal'), message: `The model refused: ${reply.refusal}` };
  if (reply.finishReason === 'contentFilter')
    return { type: 'failed', verdict: verdictFor('contentFiltered', 'yes'), message: "The provider's content filter cut the reply off." };
  if (reply.finishReason === 'length')
    return {
      type: 'failed',
      verdict: verdictFor('outputTruncated'),
      message: 'The reply was cut off at maxOutputTokens. Raise maxOutputTokens, or ask for less in one step.',
    };
  const hasText = reply.text !== null && reply.text.trim() !== '';
  if (!hasText && reply.toolCalls.length === 0)
    return { type: 'failed', verdict: verdictFor('invalidResponse'), message: 'The reply has neither text nor tool calls.' };
  return { type: 'usable' };
}
