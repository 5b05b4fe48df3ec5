import type { PinnedTask, UserMessage } from '../../contracts/agent-run.ts';
import type { Travelled } from '../../contracts/travelled.ts';

/** A longer text travels by reference to the store: it passes through history twice, with its id, each time below 16 KiB. */
export const MAX_INLINE_MESSAGE_BYTES = 12_288;

/** Beside a text: sealed values, as base64. Longer ones travel by reference. */
export const MAX_TRAVELLED_LENGTH = 3_500;

const MESSAGE_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const MAX_SENDER_LENGTH = 200;
const DEFAULT_MAX_MESSAGES = 200;
const DEFAULT_MAX_PENDING_MESSAGES = 16;

/** Whether `value` may name a message. */
export function isMessageId(value: unknown): value is string {
  return typeof value === 'string' && MESSAGE_ID.test(value);
}

/** UTF-8 bytes of a text as JSON, which is what history keeps. */
export function inlineBytes(text: string): number {
  let bytes = 0;
  for (const character of JSON.stringify(text)) {
    const codePoint = character.codePointAt(0) ?? 0;
    bytes += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** Reads what a stranger sent as a message. Null where it has not the shape of one or is too long. Never throws, whatever it is given. */
export function readUserMessage(payload: unknown): UserMessage | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const { messageId, text, contentDigest, sender, redaction } = payload as Record<string, unknown>;
  if (!isMessageId(messageId)) return null;
  if (sender !== undefined && sender !== null && (typeof sender !== 'string' || sender.length > MAX_SENDER_LENGTH)) return null;
  const travelled = redaction === undefined || redaction === null ? null : readTravelled(redaction);
  if (travelled === 'malformed') return null;
  const head = { messageId, ...(typeof sender === 'string' && sender !== '' ? { sender } : {}), ...(travelled ? { redaction: travelled } : {}) };
  if (typeof text === 'string') return isInline(text) ? { ...head, text } : null;
  return typeof contentDigest === 'string' && DIGEST.test(contentDigest) ? { ...head, contentDigest } : null;
}

/** Its shape as far as history goes; the activity that takes the message in parses the rest. */
function readTravelled(redaction: unknown): Travelled | 'malformed' {
  if (typeof redaction !== 'object' || redaction === null || Array.isArray(redaction)) return 'malformed';
  const isSmall = JSON.stringify(redaction).length <= MAX_TRAVELLED_LENGTH;
  return isSmall ? (redaction as Travelled) : 'malformed';
}

function isInline(text: string): boolean {
  return text.trim() !== '' && text.length <= MAX_INLINE_MESSAGE_BYTES && inlineBytes(text) <= MAX_INLINE_MESSAGE_BYTES;
}

/** Names the transcript node of a message. */
export function messageNodeId(messageId: string): string {
  return `message:${messageId}`;
}

/** How many more messages a run takes that has taken `taken` in all, of which `pending` wait. */
export function messageRoom(taken: number, pending: number, limits: Pick<PinnedTask, 'maxMessages' | 'maxPendingMessages'>): number {
  const { maxMessages = DEFAULT_MAX_MESSAGES, maxPendingMessages = DEFAULT_MAX_PENDING_MESSAGES } = limits;
  return Math.max(0, Math.min(maxMessages - taken, maxPendingMessages - pending));
}
