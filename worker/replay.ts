import type { PayloadCodec } from '@temporalio/common';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { StoredHistory } from './stored-histories.ts';
import { dataConverter } from './workflow-bundle.ts';

export interface ReplayVerdict {
  readonly agentRunId: string;
  /** Why the workflow code of this build takes another way than the history; null where it takes the same. */
  readonly breaks: string | null;
}

/** Of a message that may carry a whole stack trace. */
const MAX_REASON = 400;

/** Takes each history through the workflow code, without a server and without an activity. Answers one verdict for each. */
export async function* replay(
  workflowBundle: WorkflowBundleOption,
  histories: AsyncIterable<StoredHistory>,
  codec: PayloadCodec,
): AsyncIterable<ReplayVerdict> {
  const options = { workflowBundle, dataConverter: dataConverter(codec) };
  for await (const { workflowId, error } of Worker.runReplayHistories(options, asReplayed(histories)))
    yield { agentRunId: workflowId, breaks: error === undefined ? null : (error.message.split('\n')[0] ?? '').slice(0, MAX_REASON) };
}

async function* asReplayed(histories: AsyncIterable<StoredHistory>) {
  for await (const { agentRunId, history } of histories) yield { workflowId: agentRunId, history };
}
