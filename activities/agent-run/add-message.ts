import { z } from 'zod';
import type { AddMessageInput, AddMessageOutcome, UserMessage } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest } from '../../contracts/ids.ts';
import { messageNodeId } from '../../domain/agent-run/user-message.ts';
import { messageContext } from '../../domain/redaction/sealing-context.ts';
import { canonicalDigest } from '../digest.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import type { Redacted } from '../redaction/run-redaction.ts';
import { admit } from '../redaction/travelled.ts';
import type { ActivityPorts } from '../ports.ts';
import { loadRunFacts, loadSnapshot } from './snapshot.ts';

const SENDERS_FAULT: readonly string[] = ['unreadable', 'invalidInput'];

/** Writes a message from outside as a transcript node; the first content under its id stays. Audited, also where it is refused. */
export async function addMessage(ports: ActivityPorts, { runKey, message }: AddMessageInput): Promise<AddMessageOutcome> {
  const { store } = ports;
  const run = await loadRunFacts(store, runKey);
  const snapshot = await loadSnapshot(store, run.snapshotDigest);
  const { task } = snapshot;
  const { messageId, sender } = message;
  const text = 'text' in message ? message.text : await store.getContent(message.contentDigest as ContentDigest);
  const bytes = text === null ? 0 : Buffer.byteLength(text, 'utf8');
  const refusal = refusalOf(message, text, bytes, task.limits.maxMessageBytes);
  const audit = (type: string, data: Record<string, string | number>) =>
    store.appendAudit({ type, runKey, actor: sender ?? 'unknown', data: { messageId, bytes, ...data } });
  if (text === null || refusal !== null) {
    await audit('message.refused', { message: refusal ?? '' });
    return { type: 'refused', message: refusal ?? '' };
  }
  const incoming = { place: 'message', context: messageContext(runKey.agentRunId, messageId), travelled: message.redaction } as const;
  const admitted = await orRefused(() => admit(ports, toRunOfText(runKey, run, snapshot), incoming, text));
  if ('refusal' in admitted) {
    await audit('message.refused', { message: admitted.refusal });
    return { type: 'refused', message: admitted.refusal };
  }
  const nodeId = messageNodeId(messageId);
  await store.putNode(runKey, nodeId, { role: 'user', text: admitted.text });
  await audit('message.added', { textDigest: canonicalDigest(admitted.text) });
  return { type: 'added', nodeId };
}

function refusalOf(message: UserMessage, text: string | null, bytes: number, maxBytes: number): string | null {
  if (text === null && 'contentDigest' in message)
    return `The text ${message.contentDigest} of message ${message.messageId} is not in the worker's store. Do client and worker use the same TOLLGATE_HOME or DATABASE_URL?`;
  return bytes > maxBytes ? `The message ${message.messageId} has ${bytes} bytes; the task takes ${maxBytes} (limits.maxMessageBytes).` : null;
}

/** Anybody may send a message: one whose sealed values do not open is refused and fails no run. */
async function orRefused(admitting: () => Promise<Redacted<string>>): Promise<{ readonly text: string } | { readonly refusal: string }> {
  try {
    const { value, blocked } = await admitting();
    return blocked.length === 0 ? { text: value } : { refusal: `The message has ${blocked.join(', ')}, which redaction policy blocks.` };
  } catch (error) {
    const isTheirs = error instanceof SyntaxError || error instanceof z.ZodError || (error instanceof TollgateError && SENDERS_FAULT.includes(error.type));
    if (!isTheirs) throw error;
    return { refusal: 'The values that were sealed for the message do not open, or are not there.' };
  }
}
