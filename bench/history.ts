import { openGround } from './support/ground.ts';
import { needPeers } from './support/peers.ts';
import { table } from './support/statistics.ts';
import { openStand, SUBJECTS, type Subject } from './support/subjects.ts';

/** The plugins put the whole conversation into every call: a long run of theirs passes what Temporal lets a history have. */
const COUNTS: Readonly<Record<Subject, readonly number[]>> = {
  tollgate: [20, 200, 1_000],
  'tollgate, local reads': [20, 200, 1_000],
  floor: [20, 200],
  'floor, local': [20, 200],
  'openai-agents': [20, 80],
  'ai-sdk': [20, 80],
};

/** Bytes and events of history per step, as Temporal counts them. Exact, so one run of each is enough. */
export async function benchHistory(): Promise<string> {
  needPeers();
  const ground = await openGround();
  const rows: string[][] = [];
  try {
    for (const subject of SUBJECTS) {
      const stand = await openStand(ground, subject);
      try {
        for (const steps of COUNTS[subject]) {
          const id = `${subject.replaceAll(/\W+/g, '-')}-${steps}`;
          await (await stand.start(id, steps)).ended;
          const { bytes, events, executions } = await historyOf(ground.client, id);
          rows.push([subject, String(steps), (bytes / steps).toFixed(0), (events / steps).toFixed(1), (bytes / 1_000).toFixed(0), String(executions)]);
          process.stderr.write(`${rows.at(-1)?.join(' ')}\n`);
        }
      } finally {
        await stand.close();
      }
    }
  } finally {
    await ground.close();
  }
  return table(['subject', 'steps', 'bytes per step', 'events per step', 'KB in all', 'executions (continue-as-new)'], rows);
}

/** Over the whole chain of executions. */
async function historyOf(client: Awaited<ReturnType<typeof openGround>>['client'], workflowId: string) {
  const sum = { bytes: 0, events: 0, executions: 0 };
  for (let runId: string | undefined; ; ) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const { raw } = await handle.describe();
    sum.bytes += Number(raw.workflowExecutionInfo?.historySizeBytes);
    sum.events += Number(raw.workflowExecutionInfo?.historyLength);
    sum.executions += 1;
    // One event at a time: a page of a plugin's history is larger than the client takes.
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: { workflowId, runId: raw.workflowExecutionInfo?.execution?.runId ?? null },
      maximumPageSize: 1,
    });
    const previous = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
    if (!previous) return sum;
    runId = previous;
  }
}
