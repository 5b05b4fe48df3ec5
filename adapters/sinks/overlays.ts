import { FEEDBACK_NAME, GEN_AI, OPERATION, TOLLGATE } from '../../telemetry/names.ts';
import type { Attributes, Span } from '../../telemetry/span.ts';

/**
 * What each backend calls the things that the conventions have no name for: session, user, tags, prompt version, kinds of
 * span. Sources are in docs/telemetry.md.
 */

const text = (span: Span, name: string): string | undefined => {
  const value = span.attributes[name];
  return value === undefined ? undefined : String(value);
};
const tagsOf = (span: Span): string[] =>
  (['task', 'tenant', 'feature'] as const).flatMap((name) => (span.attributes[TOLLGATE[name]] === undefined ? [] : [`${name}:${text(span, TOLLGATE[name])}`]));
const isRoot = (span: Span): boolean => span.attributes[GEN_AI.agentId] !== undefined;
const metadataOf = (span: Span): Record<string, string> =>
  Object.fromEntries(
    (['agentRunId', 'tenant', 'feature', 'promptVersion'] as const).flatMap((name) => {
      const value = text(span, TOLLGATE[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );

type Kind = 'llm' | 'tool' | 'agent' | 'chain';

function kindOf(span: Span): Kind {
  switch (span.attributes[GEN_AI.operation]) {
    case OPERATION.chat:
      return 'llm';
    case OPERATION.executeTool:
      return 'tool';
    case OPERATION.invokeAgent:
      return 'agent';
    default:
      return 'chain';
  }
}

/** LangSmith knows runs by UUIDs. This is the one that it makes of a span's id, stated so that feedback can name it. */
export function runIdOf(spanId: string): string {
  return `00000000-0000-0000-${spanId.slice(0, 4)}-${spanId.slice(4)}`;
}

/** LangSmith: kinds, metadata, tags; the session by the key its ingest reads first. Its own "session" means the project. */
export function langSmith(span: Span): Attributes {
  const kind = kindOf(span);
  return {
    'langsmith.span.kind': kind === 'agent' ? 'chain' : kind,
    'langsmith.span.id': runIdOf(span.spanId),
    'langsmith.span.parent_id': span.parentSpanId === null ? undefined : runIdOf(span.parentSpanId),
    'langsmith.metadata.session_id': text(span, GEN_AI.conversationId),
    'langsmith.metadata.user_id': text(span, TOLLGATE.requester),
    ...prefixed('langsmith.metadata.', metadataOf(span)),
    'langsmith.span.tags': tagsOf(span).join(','),
    ...(kind === 'llm' ? { 'gen_ai.usage.details.reasoning_tokens': span.attributes[GEN_AI.reasoningTokens] } : {}),
    ...langSmithUsage(span),
  };
}

/** As its own client puts it, with what was cached and what it cost; from the conventions alone it would price cached tokens in full. */
function langSmithUsage({ attributes }: Span): Attributes {
  const [input, output] = [attributes[GEN_AI.inputTokens], attributes[GEN_AI.outputTokens]];
  if (typeof input !== 'number' || typeof output !== 'number') return {};
  const usage = {
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    input_token_details: { cache_read: attributes[GEN_AI.cacheReadTokens], cache_creation: attributes[GEN_AI.cacheCreationTokens] },
    output_token_details: { reasoning: attributes[GEN_AI.reasoningTokens] },
    total_cost: attributes[GEN_AI.cost],
  };
  return { 'gen_ai.usage.total_tokens': input + output, 'langsmith.usage_metadata': JSON.stringify(usage) };
}

/** Weave reads reasoning tokens under another name than the conventions give. */
export function weave(span: Span): Attributes {
  return {
    'gen_ai.conversation.name': text(span, TOLLGATE.task),
    'gen_ai.usage.reasoning_tokens': span.attributes[GEN_AI.reasoningTokens],
    'wandb.thread_id': text(span, GEN_AI.conversationId),
    ...(isRoot(span) ? { 'wandb.is_turn': true } : {}),
  };
}

const OPEN_INFERENCE_KINDS = { llm: 'LLM', tool: 'TOOL', agent: 'AGENT', chain: 'CHAIN' } as const;

/** Phoenix speaks OpenInference; it maps what the conventions say, but neither workflows, steps, gates nor reasoning. */
export function phoenix(span: Span): Attributes {
  return {
    'openinference.span.kind': OPEN_INFERENCE_KINDS[kindOf(span)],
    'session.id': text(span, GEN_AI.conversationId),
    'user.id': text(span, TOLLGATE.requester),
    'tag.tags': tagsOf(span),
    metadata: JSON.stringify(metadataOf(span)),
    'llm.prompt_template.version': text(span, TOLLGATE.promptVersion),
    'llm.token_count.completion_details.reasoning': span.attributes[GEN_AI.reasoningTokens],
  };
}

const BRAINTRUST_TYPES = { llm: 'llm', tool: 'tool', agent: 'task', chain: 'task' } as const;

export function braintrust(span: Span): Attributes {
  const cost = span.attributes[GEN_AI.cost];
  const input = span.attributes[GEN_AI.inputTokens];
  const output = span.attributes[GEN_AI.outputTokens];
  const metrics = {
    ...(input === undefined ? {} : { prompt_tokens: input, completion_tokens: output, prompt_cached_tokens: span.attributes[GEN_AI.cacheReadTokens] }),
    ...(cost === undefined ? {} : { estimated_cost: cost }),
  };
  const score = span.attributes[TOLLGATE.feedbackScore];
  return {
    'braintrust.span_attributes': JSON.stringify({ type: score === undefined ? BRAINTRUST_TYPES[kindOf(span)] : 'score' }),
    // Its scores are from 0 to 1.
    'braintrust.scores': typeof score === 'number' ? JSON.stringify({ [FEEDBACK_NAME]: (score + 1) / 2 }) : undefined,
    'braintrust.metadata': JSON.stringify({ ...metadataOf(span), session_id: text(span, GEN_AI.conversationId), user_id: text(span, TOLLGATE.requester) }),
    'braintrust.tags': tagsOf(span),
    'braintrust.metrics': Object.keys(metrics).length > 0 ? JSON.stringify(metrics) : undefined,
  };
}

const LANGFUSE_TYPES = { llm: 'generation', tool: 'tool', agent: 'agent', chain: 'chain' } as const;

/** Langfuse takes a cost that it is given before one of its own. */
export function langfuse(span: Span): Attributes {
  const cost = span.attributes[GEN_AI.cost];
  const prompt = text(span, GEN_AI.promptName);
  return {
    'langfuse.observation.type': LANGFUSE_TYPES[kindOf(span)],
    'langfuse.session.id': text(span, GEN_AI.conversationId),
    'langfuse.user.id': text(span, TOLLGATE.requester),
    'langfuse.trace.tags': tagsOf(span),
    'langfuse.trace.name': isRoot(span) && span.parentSpanId === null ? text(span, TOLLGATE.task) : undefined,
    ...prefixed('langfuse.trace.metadata.', metadataOf(span)),
    'langfuse.observation.cost_details': cost === undefined ? undefined : JSON.stringify({ total: cost }),
    // As metadata: its own prompt link wants a whole number of a prompt that it manages.
    ...(kindOf(span) === 'llm' ? { 'langfuse.observation.metadata.promptName': prompt } : {}),
  };
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Attributes {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]));
}
