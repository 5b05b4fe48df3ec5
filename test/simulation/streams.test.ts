import { fileURLToPath } from 'node:url';
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import type { ReadyChild } from '../../client/dev/child-process.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = fileURLToPath(new URL('../support/streaming/tollgate.config.ts', import.meta.url));
const TEXT = 'One piece after another. '.repeat(200);
type Fault = NonNullable<ScenarioInput['turns'][number]['faults']>[number];
const turn = (id: string, ...faults: Fault[]): ScenarioInput => ({ id, match: { system: id }, turns: [{ text: TEXT, faults }] });
const scenarios = [
  turn('SLOW', { type: 'slowStream', chunkDelayMs: 50, attempt: 1 }),
  turn('HANG', { type: 'hangInStream', afterChunks: 5, attempt: 1 }),
  turn('CUT', { type: 'cutStream', afterChunks: 5, attempt: 1 }),
  turn('LATER', { type: 'slow', delayMs: 14_000, attempt: 1 }),
  turn('NEVER', { type: 'slow', delayMs: 120_000 }),
  turn('NO-ID', { type: 'cutAfterWork', attempt: 1 }),
];

let stage: Stage;
let workerEnv: NodeJS.ProcessEnv;

/** Workers whose replies are streamed: responses by the default for long ones, chat as an endpoint's own setting. */
function onStage(api: 'chat' | 'responses'): void {
  beforeAll(async () => {
    stage = await new Stage().open({ scenarios, workers: 0 });
    const url = String(stage.environment.TOLLGATE_SIMULATED_URL);
    workerEnv = api === 'chat' ? { TOLLGATE_CONFIG: CONFIG, TEST_PROVIDER_URL: url, OPENAI_API_KEY: 'unused' } : {};
    for (const _ of [1, 2]) await stage.startWorker(workerEnv);
  });
  afterAll(() => stage.close());
}

/** Kills whoever has the run's activity; another worker takes its place. */
async function killWorkerOf(id: string): Promise<void> {
  const victim = await waitFor('a worker with the activity', async () => {
    const { worker } = await underWay(id);
    return worker && worker.process.exitCode === null && worker.process.signalCode === null && worker;
  });
  await stage.kill(victim);
  await stage.startWorker(workerEnv);
}

const start = (prompt: string, id: string, providerStorage: 'allowed' | 'forbidden' = 'forbidden') =>
  stage.start({ prompt, providerStorage, models: [{ model: 'gpt-5-mini' }], maxOutputTokens: 8_000 }, { id });
const attempts = async (id: string): Promise<readonly AttemptRecord[]> => stage.store.listAttempts((await stage.run(id)).runKey);
const billOf = (attempt: AttemptRecord | undefined) =>
  stage.billLines().reduce((sum, line) => sum + (line.clientRequestId === attempt?.attemptId ? line.nanoUsd : 0), 0);

/** The activity that is under way: who has it, and what its last heartbeat said. */
async function underWay(id: string): Promise<{ readonly worker: ReadyChild | undefined; readonly pieces: number }> {
  const [activity] = (await stage.client.workflow.getHandle(id).describe()).raw.pendingActivities ?? [];
  const pid = Number((activity?.lastWorkerIdentity ?? '').split('@')[0]);
  const [payload] = activity?.heartbeatDetails?.payloads ?? [];
  const details = payload ? (defaultPayloadConverter.fromPayload(payload) as { received?: { pieces: number } }) : undefined;
  return { worker: stage.workers.find((worker) => worker.pid === pid), pieces: details?.received?.pieces ?? 0 };
}

/** Looks at the ledger all the time until the run has ended. The bill is read in between, so that it can have grown, and not shrunk. */
async function watched(handle: WorkflowHandle): Promise<{ readonly result: AgentRunResult | Error; readonly samples: number }> {
  let result: AgentRunResult | Error | null = null;
  handle
    .result()
    .catch((error: Error) => error)
    .then((done) => {
      result = done as AgentRunResult | Error;
    });
  const { runKey } = await waitFor('the run in the store', async () => stage.run(handle.workflowId).catch(() => null));
  let samples = 0;
  for (; result === null; samples += 1) {
    const before = await stage.store.getLedger(runKey);
    const bill = await stage.bill(handle.workflowId);
    const after = await stage.store.getLedger(runKey);
    if (!before || !after) continue;
    expect(before.settledNanoUsd).toBeLessThanOrEqual(bill);
    expect(bill).toBeLessThanOrEqual(after.settledNanoUsd + after.heldNanoUsd + after.writtenOffNanoUsd);
    expect(after.settledNanoUsd + after.heldNanoUsd).toBeLessThanOrEqual(after.limitNanoUsd);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { result, samples };
}

/** The worker dies in the middle of a stream. */
function testKilledInTheMiddle(): void {
  test('whose worker is killed in the middle: the money stays held, another worker asks again, and the ledger holds the bill at every moment', async () => {
    const handle = await start('SLOW', 'killed');
    const watching = watched(handle);
    await waitFor('pieces in a heartbeat, and the id of the request', async () => {
      const { pieces } = await underWay('killed');
      return pieces > 3 && (await attempts('killed'))[0]?.providerRequestId;
    });
    await killWorkerOf('killed');
    const { result, samples } = await watching;
    expect(result).toMatchObject({ status: 'completed', output: TEXT });
    expect(samples).toBeGreaterThan(20);

    const [cut, whole, ...more] = await attempts('killed');
    expect(more).toEqual([]);
    expect(cut).toMatchObject({
      outcome: { type: 'failed', verdict: { billed: 'unknown' } },
      money: { status: 'held' },
      providerRequestId: expect.stringMatching(/^req_sim/),
    });
    // The provider charges what it had generated when its client went away; the next attempt is known to the nano-USD.
    expect(billOf(cut)).toBeGreaterThan(0);
    expect(billOf(cut)).toBeLessThan(billOf(whole));
    expect(whole?.money).toMatchObject({ status: 'settled', settledNanoUsd: billOf(whole) });
  });
}

describe('a streamed chat completion', () => {
  onStage('chat');
  testKilledInTheMiddle();

  test.each([
    ['hangs in the middle is left after its idle timeout, long before its deadline', 'HANG', 'timeout'],
    ['is cut in the middle is asked for again', 'CUT', 'connectionLost'],
  ])('that %s, and the money stays held', async (_name, prompt, errorClass) => {
    const startedMs = Date.now();
    const { result } = await watched(await start(prompt, prompt));
    expect(result).toMatchObject({ status: 'completed', output: TEXT });
    expect(Date.now() - startedMs).toBeLessThan(30_000);
    const [broken, whole] = await attempts(prompt);
    expect(broken).toMatchObject({ outcome: { verdict: { class: errorClass, billed: 'unknown' } }, money: { status: 'held' } });
    expect(whole?.money).toMatchObject({ status: 'settled', settledNanoUsd: billOf(whole) });
  });
});

describe('a response', () => {
  onStage('responses');
  testKilledInTheMiddle();

  test('in the background whose workers are killed one after the other is fetched by the third, and paid for once', async () => {
    const handle = await start('LATER', 'handed-on', 'allowed');
    const watching = watched(handle);
    const firstId = await waitFor('the journalled id', async () => (await attempts('handed-on').catch(() => []))[0]?.responseId);
    for (const _ of [1, 2]) await killWorkerOf('handed-on');
    expect((await watching).result).toMatchObject({ status: 'completed', output: TEXT });
    const [only, ...more] = await attempts('handed-on');
    expect(more).toEqual([]);
    expect(only).toMatchObject({ responseId: firstId, money: { status: 'settled', settledNanoUsd: billOf(only) } });
    expect(await stage.bill('handed-on')).toBe(billOf(only));
  });

  test('in the background, of a cancelled run, is cancelled at the provider and settled at what it had cost', async () => {
    const handle = await start('NEVER', 'cancelled', 'allowed');
    const watching = watched(handle);
    await waitFor('the journalled id', async () => (await attempts('cancelled').catch(() => []))[0]?.responseId);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await handle.cancel();
    await watching;
    const [only] = await attempts('cancelled');
    expect(billOf(only)).toBeGreaterThan(0);
    expect(only?.money).toMatchObject({ status: 'settled', settledNanoUsd: billOf(only) });
    expect(await stage.store.getLedger((await stage.run('cancelled')).runKey)).toMatchObject({ heldNanoUsd: 0, settledNanoUsd: billOf(only) });
  });

  test('in the background whose id was lost on the way is held and shown, while the run goes on', async () => {
    const { result } = await watched(await start('NO-ID', 'lost-id', 'allowed'));
    expect(result).toMatchObject({ status: 'completed', output: TEXT });
    const [lost, whole] = await attempts('lost-id');
    expect(lost).toMatchObject({ responseId: null, money: { status: 'held' } });
    expect(billOf(lost)).toBeGreaterThan(0);
    expect(whole?.money).toMatchObject({ status: 'settled', settledNanoUsd: billOf(whole) });
  });
});
