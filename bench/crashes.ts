import { defaultPayloadConverter } from '@temporalio/common';
import type { CallModelOutcome } from '../contracts/agent-run.ts';
import type { Ground } from './support/ground.ts';
import { openGround } from './support/ground.ts';
import { needPeers } from './support/peers.ts';
import type { BenchProcess } from './support/processes.ts';
import { table } from './support/statistics.ts';
import { openStand, type Stand, type Subject } from './support/subjects.ts';

const REPLY_DELAY_MS = 500;
const STEPS = 20;
const KILL_EVERY_MS = 4_000;
const MEASURED: readonly Subject[] = ['tollgate', 'openai-agents', 'ai-sdk'];

interface Outcome {
  readonly subject: Subject;
  readonly kills: number;
  /** Calls that the provider served, which is what it bills. */
  readonly billed: number;
  /** Model replies that a run went on with. */
  readonly used: number;
  /** Calls whose cost the system can name: settled, or held until somebody finds out. */
  readonly known: number;
  readonly finished: number;
  readonly seconds: number;
}

/**
 * Runs under two workers of which one is killed with `kill -9` every few seconds and replaced: what the provider billed,
 * what the runs used of it, what the system can account for, how many runs are done at the deadline. The kills stop when
 * half of the time is over.
 */
export async function benchCrashes({ runs = 20, seconds = 180 } = {}): Promise<string> {
  needPeers();
  const ground = await openGround({ replyDelayMs: REPLY_DELAY_MS });
  const outcomes: Outcome[] = [];
  try {
    for (const subject of MEASURED) {
      outcomes.push(await measure(ground, subject, runs, seconds));
      process.stderr.write(`${JSON.stringify(outcomes.at(-1))}\n`);
    }
  } finally {
    await ground.close();
  }
  return table(
    ['subject', 'kills', `runs done of ${runs}`, 'seconds', 'calls billed', 'calls used', 'paid beyond that, per kill', 'billed calls it cannot account for'],
    outcomes.map(({ subject, kills, finished, seconds: took, billed, used, known }) => [
      subject,
      String(kills),
      String(finished),
      took >= seconds ? `more than ${seconds}` : took.toFixed(0),
      String(billed),
      String(used),
      ((billed - used) / kills).toFixed(2),
      String(Math.max(0, billed - known)),
    ]),
  );
}

async function measure(ground: Ground, subject: Subject, runs: number, seconds: number): Promise<Outcome> {
  const stand = await openStand(ground, subject);
  const workers = [stand.worker, await stand.addWorker()];
  const ids = Array.from({ length: runs }, (_, index) => `crash-${subject}-${index}`);
  try {
    const before = await ground.served();
    const startedAtMs = performance.now();
    const done = new Set<string>();
    const started = await Promise.all(ids.map((id) => stand.start(id, STEPS)));
    const all = Promise.all(started.map(({ ended }, index) => ended.then(() => done.add(ids[index] ?? '')).catch(() => undefined)));
    const kills = await killUntil(stand, workers, startedAtMs + seconds * 500, () => done.size === runs);
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, startedAtMs + seconds * 1_000 - performance.now()).unref())]);
    const took = (performance.now() - startedAtMs) / 1_000;
    const finished = done.size;
    const used = (await Promise.all(ids.map((id) => repliesUsed(ground, id)))).reduce((sum, count) => sum + count, 0);
    const known = stand.accountedFor ? await stand.accountedFor(ids) : used;
    return { subject, kills, billed: (await ground.served()) - before, used, known, finished, seconds: took };
  } finally {
    await Promise.all(
      ids.map((id) =>
        ground.client.workflow
          .getHandle(id)
          .terminate('measured')
          .catch(() => undefined),
      ),
    );
    await Promise.all(workers.map((worker) => worker.stop()));
    await stand.close();
  }
}

/** Kills one worker after the other, each replaced before the next, until `untilMs` or until it is over. Answers how many. */
async function killUntil(stand: Stand, workers: BenchProcess[], untilMs: number, isOver: () => boolean): Promise<number> {
  let kills = 0;
  while (performance.now() < untilMs && !isOver()) {
    await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    const [victim] = workers;
    if (!victim || isOver()) break;
    await victim.stop('SIGKILL');
    kills += 1;
    workers.shift();
    workers.push(await stand.addWorker());
  }
  return kills;
}

/** Model calls in the run's history whose reply came back to the workflow. */
async function repliesUsed(ground: Ground, workflowId: string): Promise<number> {
  const { events } = await ground.client.workflow.getHandle(workflowId).fetchHistory();
  const types = new Map<string, string>();
  let used = 0;
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) types.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const completed = event.activityTaskCompletedEventAttributes;
    if (!completed) continue;
    const type = types.get(String(completed.scheduledEventId)) ?? '';
    if (type === 'callModel') {
      const payload = completed.result?.payloads?.[0];
      if (payload && (defaultPayloadConverter.fromPayload(payload) as CallModelOutcome).type === 'reply') used += 1;
    } else if (/model/i.test(type)) used += 1;
  }
  return used;
}
