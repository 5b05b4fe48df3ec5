import { randomUUID } from 'node:crypto';
import type { UserMessage } from '../contracts/agent-run.ts';
import { TollgateError } from '../contracts/failures.ts';
import { limitsSchema, type TaskSnapshot } from '../contracts/task.ts';
import type { Travelled } from '../contracts/travelled.ts';
import { inlineBytes, isMessageId, MAX_INLINE_MESSAGE_BYTES, MAX_TRAVELLED_LENGTH } from '../domain/agent-run/user-message.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';
import type { Outgoing } from './redaction.ts';

export interface MessageOptions {
  /** The same id again is the same message, so that sending it again is safe. Default: made up. */
  readonly messageId?: string;
}

/**
 * The signal's payload for a message. A text too long for history is put into the store and travels by its digest.
 * @throws TollgateError `invalidInput` where the message can't be sent, with every reason at once.
 */
export async function toUserMessage(
  text: string,
  sender: string,
  { messageId = randomUUID() }: MessageOptions,
  store: Store | undefined,
  run: RunRecord | null,
  redact: (text: string, messageId: string) => Promise<Outgoing<string>>,
): Promise<UserMessage> {
  const problems: string[] = [];
  if (!isMessageId(messageId))
    problems.push(
      `messageId: expected letters, digits, "_", ".", ":" and "-", at most 64, beginning with a letter or digit, saw ${JSON.stringify(messageId)?.slice(0, 80)}.`,
    );
  if (typeof text !== 'string' || text.trim() === '') problems.push('text: the message is empty.');
  else {
    const bytes = Buffer.byteLength(text, 'utf8');
    const maxBytes = await maxMessageBytes(store, run);
    if (bytes > maxBytes) problems.push(`text: it has ${bytes} bytes, and the task takes at most ${maxBytes} (limits.maxMessageBytes). Shorten it.`);
    else if (!store && inlineBytes(text) > MAX_INLINE_MESSAGE_BYTES)
      problems.push(
        `text: it has ${inlineBytes(text)} bytes as JSON. Longer ones than ${MAX_INLINE_MESSAGE_BYTES} travel through the store, and this client has none: give createAgentClient({ store }), or shorten it.`,
      );
  }
  if (problems.length > 0) throw new TollgateError('invalidInput', `The message was not sent. ${problems.join('\n')}`);
  const head = { messageId, sender: sender.slice(0, 200) };
  const { value, redaction } = await redact(text, messageId);
  const beside = redaction ? { redaction: await besideMessage(redaction, store) } : {};
  return store && inlineBytes(value) > MAX_INLINE_MESSAGE_BYTES
    ? { ...head, ...beside, contentDigest: await store.putContent(value, run?.runKey) }
    : { ...head, ...beside, text: value };
}

/** Sealed values that are too long for history travel through the store. */
async function besideMessage({ sealed, ...rest }: Travelled, store: Store | undefined): Promise<Travelled> {
  if (sealed === undefined || JSON.stringify({ sealed, ...rest }).length <= MAX_TRAVELLED_LENGTH)
    return { ...(sealed === undefined ? {} : { sealed }), ...rest };
  if (store) return { ...rest, sealedDigest: await store.putContent(sealed) };
  throw new TollgateError(
    'invalidInput',
    'The message was not sent. text: it has so many personal values that they have to travel through the store, and this client has none: give createAgentClient({ store }), or shorten it.',
  );
}

async function maxMessageBytes(store: Store | undefined, run: RunRecord | null): Promise<number> {
  const snapshot = run && (await store?.getContent(run.snapshotDigest));
  return snapshot ? (JSON.parse(snapshot) as TaskSnapshot).task.limits.maxMessageBytes : limitsSchema.shape.maxMessageBytes.parse(undefined);
}
