import type { CallModelOutcome } from '../../contracts/agent-run.ts';
import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import { ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { labelOf } from '../agent-run/snapshot.ts';
import type { ActivityPorts } from '../ports.ts';
import { checkOutput } from './check-output.ts';
import { readCall, replyCalls } from './reply-calls.ts';

/**
 * What the workflow is told of an attempt: small, whatever the reply's size. Calls that can't run, and answers that break the
 * output schema, are answered in the transcript here, so that the model sees why.
 */
export async function outcomeOfAttempt(ports: ActivityPorts, snapshot: TaskSnapshot, attempt: AttemptRecord, recovered: boolean): Promise<CallModelOutcome> {
  const { store } = ports;
  const { runKey, attemptId, outcome, reply } = attempt;
  const ledger = await store.getLedger(runKey);
  invariant(ledger, `run ${runKey.agentRunId} has a ledger`);
  invariant(outcome, `attempt ${attemptId} has come to something`);
  if (outcome.type === 'failed') return { type: 'failed', verdict: outcome.verdict, message: outcome.message.slice(0, 2_000), ledger };

  invariant(reply, `attempt ${attemptId} has its reply`);
  if (reply.blocked)
    throw new TollgateError(
      'redactionBlocked',
      `The model's reply has ${reply.blocked.join(', ')}, which redaction policy blocks. It was paid for and went nowhere.`,
    );
  for (const [index, call] of reply.toolCalls.slice(0, snapshot.task.limits.maxToolCallsPerStep).entries()) {
    const read = readCall(snapshot, call);
    if (read.type === 'invalid')
      await store.putNode(runKey, callKeyOf(attemptId, index), {
        role: 'tool',
        toolCallId: call.toolCallId,
        name: call.name,
        text: read.message.slice(0, 4_000),
        isError: true,
      });
  }
  // A last answer under a budget that is nearly used up is in words.
  const isAnswer = reply.toolCalls.length === 0 && attempt.mode === 'step';
  const invalidOutput = isAnswer ? await checkOutput(ports, snapshot, { runKey, attemptId, text: reply.text ?? '' }) : null;
  const candidate = snapshot.candidates.find(({ model }) => model === attempt.model);
  return {
    type: 'reply',
    attemptId,
    model: candidate ? labelOf(candidate) : attempt.model,
    calls: replyCalls(snapshot, reply),
    ...(invalidOutput ? { invalidOutput } : {}),
    costNanoUsd: attempt.money.settledNanoUsd ?? ZERO_NANO_USD,
    ledger,
    recovered,
  };
}
