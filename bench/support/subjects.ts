import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../../adapters/keys/payload-codec.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import { createAgentClient } from '../../client/library/main.ts';
import type { StartableTask } from '../../client/known-task.ts';
import { childEnvironment } from '../../config/load.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import type { Ground } from './ground.ts';
import { type Peer, peerFolder } from './peers.ts';
import { type BenchProcess, startProcess } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CONFIG = join(ROOT, 'bench', 'project', 'tollgate.config.ts');

export const SUBJECTS = ['tollgate', 'tollgate, local reads', 'floor', 'floor, local', 'openai-agents', 'ai-sdk'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** A subject with one worker that runs, and a way to start runs of it. */
export interface Stand {
  readonly worker: BenchProcess;
  /** Another worker on the same queue. */
  addWorker(): Promise<BenchProcess>;
  /** Starts a run of so many steps; `ended` resolves when it has its answer. */
  start(workflowId: string, steps: number): Promise<{ readonly ended: Promise<void> }>;
  /** Model calls of those runs whose cost is settled or held; absent where a subject keeps no account. */
  accountedFor?(workflowIds: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

/** Plays so many runs, a number of them at once, to their end; answers how many steps those were. */
export async function playRuns(
  stand: Stand,
  name: string,
  { runs, concurrency, stepsOfRun }: { readonly runs: number; readonly concurrency: number; readonly stepsOfRun: number },
): Promise<number> {
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < runs) {
        next += 1;
        await (await stand.start(`${name}-${next}`, stepsOfRun)).ended;
      }
    }),
  );
  return runs * stepsOfRun;
}

let stands = 0;

/** `settings` are further ones of a worker of ours. */
export async function openStand(ground: Ground, subject: Subject, settings: Readonly<Record<string, string>> = {}): Promise<Stand> {
  stands += 1;
  if (subject === 'tollgate') return tollgate(ground, 'steps', settings);
  if (subject === 'tollgate, local reads') return tollgate(ground, 'local');
  if (subject === 'floor') return peer(ground, 'floor', 'two');
  if (subject === 'floor, local') return peer(ground, 'floor', 'local');
  return peer(ground, subject);
}

async function tollgate(ground: Ground, kind: 'steps' | 'local', settings: Readonly<Record<string, string>> = {}): Promise<Stand> {
  // Its own store for each stand, as each peer has its own process; the bundle is kept, as a package ships it.
  const home = join(ground.folder, `home-${stands}`);
  const taskQueue = `tollgate-${stands}`;
  mkdirSync(home, { recursive: true });
  const env = childEnvironment({
    TOLLGATE_HOME: home,
    TOLLGATE_CONFIG: CONFIG,
    TOLLGATE_TASK_QUEUE: taskQueue,
    TEMPORAL_ADDRESS: ground.server.address,
    OPENAI_API_KEY: 'unused',
    OPENAI_BASE_URL: ground.providerUrl,
    TOLLGATE_LOG_LEVEL: 'info',
    ...settings,
  });
  const addWorker = () =>
    startProcess(process.execPath, ['--conditions=tollgate-source', join(ROOT, 'worker', 'main.ts')], {
      env,
      ready: 'worker ready',
      logPath: join(ground.folder, 'logs', `${taskQueue}.log`),
    });
  const worker = await addWorker();
  const store: Store = await openStore({ home });
  const codec = new PayloadCodec(async () => openKeyring({ home }, store), { seals: () => settings.TOLLGATE_ENCRYPT_HISTORY === '1' });
  const client = new Client({ connection: ground.client.connection, dataConverter: { payloadCodecs: [codec] } });
  const agent = createAgentClient({ client, store, taskQueue, identity: { name: 'bench', roles: [] } });
  const input = { message: 'policy text for the agent to follow. '.repeat(27) };
  return {
    worker,
    addWorker,
    async start(id, steps) {
      const { agentRunId } = await agent.start(`${kind}-${steps}` as StartableTask, input as never, { id });
      const ended = agent.result(agentRunId).then((outcome) => {
        if (outcome.status !== 'completed') throw new Error(`${id} ended ${outcome.status}: ${outcome.message}`);
      });
      return { ended };
    },
    async accountedFor(ids) {
      const attempts = await Promise.all(
        ids.map(async (id) => {
          const run = await store.latestRun(id as AgentRunId);
          return run ? await store.listAttempts(run.runKey) : [];
        }),
      );
      return attempts.flat().filter(({ money }) => money.status === 'held' || (money.settledNanoUsd ?? 0) > 0).length;
    },
    async close() {
      await worker.stop();
      await store.close();
    },
  };
}

async function peer(ground: Ground, name: Peer, mode?: 'two' | 'local'): Promise<Stand> {
  const taskQueue = `${name}-${stands}`;
  const folder = peerFolder(name);
  const addWorker = () =>
    startProcess(process.execPath, ['--import', 'tsx', 'worker.ts', ...(mode ? [mode] : []), '20', '1', '1'], {
      cwd: folder,
      env: { ADDR: ground.server.address, PROVIDER: ground.providerUrl, TQ: taskQueue, OPENAI_API_KEY: 'unused' },
      ready: 'worker ready',
      logPath: join(ground.folder, 'logs', `${taskQueue}.log`),
    });
  const worker = await addWorker();
  return {
    worker,
    addWorker,
    async start(workflowId, steps) {
      const handle = await ground.client.workflow.start(mode ? 'floor' : 'agentRun', { taskQueue, workflowId, args: mode ? [steps, mode] : [steps] });
      return { ended: handle.result().then(() => undefined) };
    },
    close: () => worker.stop(),
  };
}
