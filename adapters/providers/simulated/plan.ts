import { LONGEST_OUTPUT_TOKENS, countInput, fitOutput, mostInputTokens } from './token-count.ts';
import type { SimulatedModel, SimulatedUsage } from './price-list.ts';
import type { Reply, ReplyContent } from './reply.ts';
import type { Fault, TurnPart } from './scenario.ts';
import { digestOf } from './seeded-choice.ts';
import type { WireRequest } from './wire-request.ts';

const REASONING_STEP_TOKENS = 64;

/** Everything that decides a reply. */
export interface PlanInput {
  readonly request: WireRequest;
  readonly model: SimulatedModel;
  readonly part: TurnPart;
  readonly fault: Fault | null;
  /** Identity of the try: scenario, conversation, turn, model and attempt. */
  readonly digest: string;
}

/** Decides what the model says and what it costs. Output tokens stay within the request's limit, except for `usageAboveBound`. */
export function planReply({ request, model, part, fault, digest }: PlanInput): Reply {
  const limit = Math.min(request.maxOutputTokens ?? LONGEST_OUTPUT_TOKENS, LONGEST_OUTPUT_TOKENS);
  const wanted = afflict(contentOf(part, request, digest), fault, request, digest);
  const fitted = fitOutput(wanted, limit);
  const usage = usageOf({ request, model, part, fault, digest }, fitted.tokens, limit);
  return { digest, model: request.model, content: fitted.content, usage, reportsUsage: fault?.type !== 'noUsage', fails: fault?.type === 'failedResponse' };
}

/** A model that is offered no tools calls none; it says in words what the script has, or that it has nothing. */
function contentOf(part: TurnPart, request: WireRequest, digest: string): ReplyContent {
  const mayCall = request.offeredTools.length > 0;
  const toolCalls = (mayCall ? (part.toolCalls ?? []) : []).map((call, index) => ({
    callId: `call_${digestOf(digest, index).slice(0, 24)}`,
    name: call.name,
    arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
  }));
  const isSilenced = !mayCall && part.toolCalls !== undefined && part.text === undefined && part.refusal === undefined;
  return {
    text: isSilenced ? '[simulated] No tools are offered here, and the scenario has no words for this turn.' : (part.text ?? null),
    refusal: part.refusal ?? null,
    toolCalls,
    isEmpty: part.empty === true,
    finishReason: part.finishReason ?? (toolCalls.length > 0 ? 'toolCalls' : 'stop'),
  };
}

function afflict(content: ReplyContent, fault: Fault | null, request: WireRequest, digest: string): ReplyContent {
  switch (fault?.type) {
    case 'emptyChoices':
      return { ...content, isEmpty: true };
    case 'contentFilter':
      return { ...content, text: '', refusal: null, toolCalls: [], finishReason: 'contentFilter' };
    case 'truncated': {
      const text = content.text?.slice(0, Math.ceil(content.text.length / 2)) ?? null;
      return { ...content, text, toolCalls: content.toolCalls.map(cutArguments), finishReason: 'length' };
    }
    case 'invalidJsonArguments': {
      const name = request.offeredTools[0];
      const invented = name === undefined ? [] : [{ callId: `call_${digest.slice(0, 24)}`, name, arguments: '{}' }];
      const calls = content.toolCalls.length > 0 ? content.toolCalls : invented;
      return { ...content, toolCalls: calls.map(cutArguments), finishReason: calls.length > 0 ? 'toolCalls' : content.finishReason };
    }
    default:
      return content;
  }
}

function cutArguments<Call extends { readonly arguments: string }>(call: Call): Call {
  return { ...call, arguments: call.arguments.slice(0, Math.max(1, Math.ceil(call.arguments.length / 2))) };
}

function usageOf(input: PlanInput, visibleTokens: number, limit: number): SimulatedUsage {
  const { request, part, fault } = input;
  const counted = countInput(request);
  const inputTokens = Math.min(part.usage?.inputTokens ?? counted.inputTokens, mostInputTokens(request));
  const cachedTokens = Math.min(part.usage?.cachedTokens ?? counted.cachedTokens, inputTokens);
  const wanted = input.model.reasons ? REASONING_STEP_TOKENS * (1 + (Number.parseInt(input.digest.slice(0, 2), 16) % 3)) : 0;
  const reasoning = Math.min(part.usage?.reasoningTokens ?? wanted, limit - visibleTokens);
  const spoken = fault?.type === 'truncated' && input.request.maxOutputTokens !== null ? limit : visibleTokens + reasoning;
  const outputTokens = Math.min(part.usage?.outputTokens ?? spoken, limit);
  const reasoningTokens = Math.min(reasoning, outputTokens);
  if (fault?.type !== 'usageAboveBound') return { inputTokens, cachedTokens, outputTokens, reasoningTokens };
  return {
    inputTokens: fault.inputTokens ?? mostInputTokens(request) * 4,
    cachedTokens: 0,
    outputTokens: fault.outputTokens ?? limit * 8,
    reasoningTokens,
  };
}
