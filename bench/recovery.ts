import { openGround } from './support/ground.ts';
import { needPeers } from './support/peers.ts';
import { show, spreadOf, table } from './support/statistics.ts';
import { openStand, type Subject } from './support/subjects.ts';

const REPLY_DELAY_MS = 2_000;
const STEPS = 20;
/** Nobody waits longer than this for a run to go on. */
const PATIENCE_MS = 90_000;
const MEASURED: readonly Subject[] = ['tollgate', 'openai-agents', 'ai-sdk'];

/** From `kill -9` of the worker in the middle of its third model call, another worker being there, to the next call at the provider. */
export async function benchRecovery({ rounds = 5 } = {}): Promise<string> {
  needPeers();
  const ground = await openGround({ replyDelayMs: REPLY_DELAY_MS });
  const seconds = new Map<Subject, number[]>(MEASURED.map((subject) => [subject, []]));
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const subject of MEASURED) {
        // A peer that needs minutes once needs them always.
        if ((seconds.get(subject)?.[0] ?? 0) >= PATIENCE_MS / 1_000 || (subject === 'ai-sdk' && round > 0)) continue;
        const stand = await openStand(ground, subject);
        const other = await stand.addWorker();
        try {
          const before = await ground.served();
          const run = await stand.start(`recover-${subject}-${round}`, STEPS);
          run.ended.catch(() => undefined);
          await until(async () => (await ground.served()) >= before + 3);
          const { pid } = await holder(ground, `recover-${subject}-${round}`);
          const victim = [stand.worker, other].find((worker) => worker.pid === pid) ?? stand.worker;
          const served = await ground.served();
          const killedAtMs = performance.now();
          await victim.stop('SIGKILL');
          const wentOn = await until(async () => (await ground.served()) > served, PATIENCE_MS);
          seconds.get(subject)?.push(wentOn ? (performance.now() - killedAtMs) / 1_000 : PATIENCE_MS / 1_000);
          process.stderr.write(`${subject}: ${seconds.get(subject)?.at(-1)} s\n`);
          await ground.client.workflow.getHandle(`recover-${subject}-${round}`).terminate('measured');
        } finally {
          await other.stop();
          await stand.close();
        }
      }
  } finally {
    await ground.close();
  }
  const rows = MEASURED.map((subject) => {
    const measured = seconds.get(subject) ?? [];
    const text = measured.some((value) => value >= PATIENCE_MS / 1_000) ? `more than ${PATIENCE_MS / 1_000}` : show(spreadOf(measured), 1);
    return [subject, text, String(measured.length)];
  });
  return table(['subject', 'seconds from the kill to going on', 'kills'], rows);
}

/** The process that has the run's activity, by its identity `pid@host`. */
async function holder(ground: Awaited<ReturnType<typeof openGround>>, workflowId: string): Promise<{ pid: number }> {
  let pid = 0;
  await until(async () => {
    const { raw } = await ground.client.workflow.getHandle(workflowId).describe();
    pid = Number((raw.pendingActivities?.find(({ activityType }) => activityType?.name !== 'pinTask')?.lastWorkerIdentity ?? '').split('@')[0]);
    return pid > 0;
  }, 5_000);
  return { pid };
}

async function until(isSo: () => Promise<boolean>, timeoutMs = 60_000): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
