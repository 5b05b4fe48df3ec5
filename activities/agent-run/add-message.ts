import type { AddMessageInput, AddMessageOutcome, UserMessage } from '../../contracts/agent-run.ts';
import type { ContentDigest } from '../../contracts/ids.ts';
import { messageNodeId } from '../../domain/agent-run/user-message.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { loadRun, loadSnapshot } from './snapshot.ts';

/** Writes a message from outside as a transcript node; the first content under its id stays. Audited, also where it is refused. */
export async function addMessage({ store }: ActivityPorts, { runKey, message }: AddMessageInput): Promise<AddMessageOutcome> {
  const { task } = await loadSnapshot(store, (await loadRun(store, runKey)).snapshotDigest);
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
  const nodeId = messageNodeId(messageId);
  await store.putNode(runKey, nodeId, { role: 'user', text });
  await audit('message.added', { textDigest: canonicalDigest(text) });
  return { type: 'added', nodeId };
}

function refusalOf(message: UserMessage, text: string | null, bytes: number, maxBytes: number): string | null {
  if (text === null && 'contentDigest' in message)
    return `The text ${message.contentDigest} of message ${message.messageId} is not in the worker's store. Do client and worker use the same TOLLGATE_HOME or DATABASE_URL?`;
  return bytes > maxBytes ? `The message ${message.messageId} has ${bytes} bytes; the task takes ${maxBytes} (limits.maxMessageBytes).` : null;
}
