import type { FinishRunInput, FinishRunOutcome } from '../../contracts/agent-run.ts';
import { emptyLedger, ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import type { ActivityPorts } from '../ports.ts';

/** A longer answer stays in the store; history gets its place. */
const MAX_OUTPUT_BYTES = 12_288;

/** Writes the run's end. A run that never got as far as the store ends without a ledger of its own. */
export async function finishRun({ store }: ActivityPorts, { runKey, end, steps }: FinishRunInput): Promise<FinishRunOutcome> {
  const run = await store.getRun(runKey);
  if (!run) return { ledger: emptyLedger(ZERO_NANO_USD), output: null, message: end.message };
  if (run.end && run.end.status !== end.status) await store.reopenRun(runKey);
  await store.endRun(runKey, end, steps);
  const ledger = (await store.getLedger(runKey)) ?? emptyLedger(run.limitNanoUsd);
  if (!end.outputAttemptId) return { ledger, output: end.text ?? null, message: end.message };
  const text = (await store.getAttempt(runKey, end.outputAttemptId))?.reply?.text ?? null;
  if (text !== null && Buffer.byteLength(text, 'utf8') > MAX_OUTPUT_BYTES)
    return { ledger, output: null, outputAttemptId: end.outputAttemptId, message: end.message };
  return { ledger, output: text, message: end.message };
}
