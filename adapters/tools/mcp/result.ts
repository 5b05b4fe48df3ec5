import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import type { JsonValue } from '../../../contracts/json.ts';

/** Characters of one result; the model sees at most limits.maxToolResultBytes of it. */
const MAX_LENGTH = 1_000_000;

type Block = CallToolResult['content'][number];

/** What a tool answered, as JSON: its structured content where it has one, else its texts. What is no text becomes a note. */
export function resultOf({ structuredContent, content }: CallToolResult): JsonValue {
  if (structuredContent === undefined) return textOf(content);
  const text = JSON.stringify(structuredContent);
  return text.length > MAX_LENGTH ? cutOff(text) : (structuredContent as JsonValue);
}

/** The texts of an answer, one below the other. */
export function textOf(content: readonly Block[]): string {
  return cutOff(content.map(blockText).join('\n'));
}

function blockText(block: Block): string {
  switch (block.type) {
    case 'text':
      return block.text;
    case 'image':
    case 'audio':
      return leftOut(`${block.type} ${block.mimeType}`, block.data.length);
    case 'resource_link':
      return `[resource ${block.name}: ${block.uri}]`;
    case 'resource':
      return 'text' in block.resource ? block.resource.text : leftOut(`resource ${block.resource.uri}`, block.resource.blob.length);
  }
}

function leftOut(what: string, base64Length: number): string {
  return `[${what}, about ${Math.floor((base64Length * 3) / 4)} bytes, left out]`;
}

function cutOff(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}\n[cut off: the result has ${text.length} characters]`;
}
