import type { ModelRequest, TranscriptMessage } from '../../contracts/model.ts';

/** How long a text is. */
export interface TextMeasure {
  /** At least what the model's own tokenizer makes of it. */
  tokens(text: string): number;
  /** Its UTF-8 bytes. */
  bytes(text: string): number;
}

/** Around each message a provider puts its role and its marks: three or four tokens in OpenAI's models. */
const PER_MESSAGE = 8;
/** Name, brackets and id of one tool call. */
const PER_CALL = 16;
/** The words around one tool's name, description and schema. */
const PER_TOOL = 16;
const FOR_FORMAT = 64;
/** Marks at the start and for the reply. */
const PER_REQUEST = 64;
/** What tells a model to use tools: behind some gateways a prompt of several hundred tokens. */
const TOOLS_ANYWHERE = 512;
const TOOLS_AT_OPENAI = 64;
/** A token stands for four bytes of the body on average, or fewer, whatever a tokenizer says: a margin for its mistakes. */
const MOST_BYTES_PER_TOKEN = 4;

type Framed = Pick<ModelRequest, 'messages' | 'tools' | 'outputFormat'>;

/**
 * The most input tokens of a request whose body has `bodyBytes` UTF-8 bytes, whatever the tokenizer: a token is at least one
 * byte of the text that is tokenised, and the JSON that carries a text has at least its bytes.
 */
export function byteBound(bodyBytes: number, request: Framed): number {
  return bodyBytes + framingTokens(request, TOOLS_ANYWHERE);
}

/**
 * The most input tokens by the model's own tokenizer. Never below a token for four bytes of the body. Never above the byte
 * bound: text that has one token a byte is no reason to reserve more than it has bytes.
 */
export function tokenBound(bodyBytes: number, request: ModelRequest, measure: TextMeasure): number {
  const { messages, tools, outputFormat } = request;
  const counted =
    sum(messages, (message) => messageTokens(message, measure)) +
    sum(tools, (tool) => measure.tokens(tool.name) + measure.tokens(tool.description) + measure.tokens(JSON.stringify(tool.parameters))) +
    (outputFormat ? measure.tokens(outputFormat.name) + measure.tokens(JSON.stringify(outputFormat.schema)) : 0);
  const least = Math.ceil(bodyBytes / MOST_BYTES_PER_TOKEN);
  return Math.min(byteBound(bodyBytes, request), Math.max(counted, least) + framingTokens(request, TOOLS_AT_OPENAI));
}

/** What a provider adds that stands nowhere in the request. */
function framingTokens({ messages, tools, outputFormat }: Framed, forTools: number): number {
  const calls = sum(messages, (message) => (message.role === 'assistant' ? message.toolCalls.length : 0));
  const ofTools = tools.length > 0 ? forTools + tools.length * PER_TOOL : 0;
  return PER_REQUEST + messages.length * PER_MESSAGE + calls * PER_CALL + ofTools + (outputFormat ? FOR_FORMAT : 0);
}

function messageTokens(message: TranscriptMessage, measure: TextMeasure): number {
  switch (message.role) {
    case 'assistant': {
      const said = sum(message.toolCalls, (call) => measure.tokens(call.name) + measure.tokens(call.argumentsText)) + measure.tokens(message.text ?? '');
      // Reasoning goes back encrypted: what it holds is no longer than what holds it.
      return message.providerItems ? Math.max(said, measure.bytes(JSON.stringify(message.providerItems))) : said;
    }
    case 'tool':
      return measure.tokens(message.name) + measure.tokens(message.text);
    default:
      return measure.tokens(message.text);
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
