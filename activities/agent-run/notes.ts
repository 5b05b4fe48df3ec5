import type { AddNoteInput, NodeOutcome, ReadAnswerInput, ReadAnswerOutcome } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import type { ActivityPorts } from '../ports.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import { type ExitOptions, redactForRun, type RunOfText } from '../redaction/run-redaction.ts';
import { valuesOfOtherRun } from '../redaction/travelled.ts';
import { loadRun, loadRunFacts, loadSnapshot } from './snapshot.ts';
import { cutOff } from '../tool/loaded-call.ts';

/** What a workflow may read of an answer: it travels through history. */
const MAX_READ_BYTES = 12_288;

/** Writes a message of the workflow itself as a transcript node. An answer of a child never passes through history: it is taken from the store. */
export async function addNote(ports: ActivityPorts, { runKey, noteId, text, answerOf }: AddNoteInput): Promise<NodeOutcome> {
  const { store } = ports;
  const facts = await loadRunFacts(store, runKey);
  const snapshot = await loadSnapshot(store, facts.snapshotDigest);
  const { limits } = snapshot.task;
  const run = toRunOfText(runKey, facts, snapshot);
  const answer = answerOf ? await answerOfChild(store, runKey, answerOf) : null;
  const said = await noted(ports, run, 'ofRun', text);
  const parts =
    answer === null || !answerOf ? [said] : [said, await ofChild(ports, run, answerOf, cutOff(answer, limits.maxMessageBytes, 'limits.maxMessageBytes'))];
  const nodeId = `note:${noteId}`;
  await store.putNode(runKey, nodeId, { role: 'user', text: parts.filter((part) => part !== '').join('\n\n') });
  return { nodeId };
}

/** A child's answer has its own tokens: the values move to the parent's vault. */
async function ofChild(ports: ActivityPorts, run: RunOfText, child: RunKey, answer: string): Promise<string> {
  const { tenant } = await loadRunFacts(ports.store, child);
  return await noted(ports, run, { travelled: await valuesOfOtherRun(ports, tenant, child, answer) }, answer);
}

async function noted(ports: ActivityPorts, run: RunOfText, genuine: ExitOptions['genuine'], text: string): Promise<string> {
  const { value, blocked } = await redactForRun(ports, run, { place: 'note', genuine }, text);
  if (blocked.length === 0) return value;
  throw new TollgateError('redactionBlocked', `What the workflow says has ${blocked.join(', ')}, which redaction policy blocks. Nothing of it went on.`);
}

async function answerOfChild(store: Store, parent: RunKey, child: RunKey): Promise<string> {
  const run = await loadRun(store, child);
  const isChild = run.parentRunKeys.some((above) => above.agentRunId === parent.agentRunId && above.firstExecutionRunId === parent.firstExecutionRunId);
  if (!isChild) throw new TollgateError('invalidInput', `${child.agentRunId} is no child of ${parent.agentRunId}, so its answer is not passed on.`);
  const attemptId = run.end?.outputAttemptId;
  return attemptId === undefined ? `(no answer: ${run.end?.message ?? 'the run has not ended'})` : await textOf(store, child, attemptId);
}

/** The text of an answer, cut off where it is too long for history. @throws TollgateError `journalMissing` where the store lacks it. */
export async function readAnswer({ store }: ActivityPorts, { runKey, attemptId }: ReadAnswerInput): Promise<ReadAnswerOutcome> {
  return { text: cutOff(await textOf(store, runKey, attemptId), MAX_READ_BYTES, 'what a workflow may read') };
}

async function textOf(store: Store, runKey: RunKey, attemptId: AttemptId): Promise<string> {
  const reply = (await store.getAttempt(runKey, attemptId))?.reply;
  if (reply) return reply.text ?? '';
  throw new TollgateError('journalMissing', `The store lacks the reply ${attemptId}, which history names. Restore the newer store, or cancel the run.`);
}
