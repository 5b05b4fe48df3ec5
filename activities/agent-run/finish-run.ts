import type { FinishRunInput, FinishRunOutcome, RunEnd } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import { emptyLedger, ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import type { Store } from '../../domain/store/port.ts';
import { compensationInWords } from '../../domain/tool/compensation.ts';
import type { ActivityPorts } from '../ports.ts';
import { reportUndoing } from '../tool/compensation.ts';

/** A longer answer stays in the store; history gets its place. */
const MAX_OUTPUT_BYTES = 12_288;

/** Writes the run's end. A run that never got as far as the store ends without a ledger of its own. */
export async function finishRun({ store }: ActivityPorts, { runKey, end: given, steps, planId }: FinishRunInput): Promise<FinishRunOutcome> {
  const end = planId === undefined ? given : await withCompensation(store, runKey, planId, given);
  const compensated = end.compensation ? { compensation: end.compensation } : {};
  const run = await store.getRun(runKey);
  if (!run) return { ledger: emptyLedger(ZERO_NANO_USD), output: null, message: end.message };
  if (run.end && run.end.status !== end.status) await store.reopenRun(runKey);
  await store.endRun(runKey, end, steps);
  const ledger = (await store.getLedger(runKey)) ?? emptyLedger(run.limitNanoUsd);
  if (!end.outputAttemptId) return { ledger, output: end.text ?? null, message: end.message, ...compensated };
  const text = (await store.getAttempt(runKey, end.outputAttemptId))?.reply?.text ?? null;
  if (text !== null && Buffer.byteLength(text, 'utf8') > MAX_OUTPUT_BYTES)
    return { ledger, output: null, outputAttemptId: end.outputAttemptId, message: end.message, ...compensated };
  return { ledger, output: text, message: end.message, ...compensated };
}

/** The end with what was undone of the run and what was not, and why. */
async function withCompensation(store: Store, runKey: RunKey, planId: AttemptId, end: RunEnd): Promise<RunEnd> {
  const compensation = await reportUndoing(store, runKey, planId);
  if (!compensation) return end;
  const { undone, left, undoneCount, leftCount } = compensation;
  const data = { planId, undone: undone.map((entry) => ({ ...entry })), left: left.map((entry) => ({ ...entry })), undoneCount, leftCount };
  await store.appendAudit({ type: 'compensation.ended', runKey, actor: 'tollgate', data });
  return { ...end, message: `${end.message} ${compensationInWords(compensation)}`, compensation };
}
