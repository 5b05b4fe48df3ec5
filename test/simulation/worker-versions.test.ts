import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { WorkerVersion } from '../../client/worker-versions.ts';
import type { ReadyChild } from '../../client/dev/child-process.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEPLOYMENT = 'tollgate';
/** Commands of the CLI take a while on a busy machine. */
const TIMEOUT_MS = 180_000;
const NOT_COPIED = ['node_modules', '.git', '.tollgate', 'test', 'docs'];

const scenarios = [
  { id: 'gated', match: { system: 'GATED' }, turns: [{ toolCalls: [{ name: 'pay', arguments: { id: 1 } }] }, { text: 'paid' }] },
  {
    id: 'looks',
    match: { system: 'LOOKS' },
    turns: [...Array.from({ length: 20 }, () => ({ toolCalls: [{ name: 'look', arguments: { id: 1 } }] })), { text: 'seen' }],
  },
];
/** How soon the server calls a version drained; in production both are three minutes. */
const SOON = ['matching.wv.VersionDrainageStatusVisibilityGracePeriod="2s"', 'matching.wv.VersionDrainageStatusRefreshInterval="1s"'];
const stage = new Stage({ TOLLGATE_DEPLOYMENT: DEPLOYMENT }, SOON);
let next: string;
let firstWorker: ReadyChild;

beforeAll(async () => {
  await stage.open({ scenarios, workers: 0 });
  next = incompatibleCheckout();
});
afterAll(() => stage.close());

/** This checkout with a workflow that begins with a timer: a run that was started before can't go on with it. */
function incompatibleCheckout(): string {
  const folder = join(stage.folder, 'next');
  for (const name of readdirSync(ROOT).filter((entry) => !NOT_COPIED.includes(entry))) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'workflows', 'agent-run', 'agent-run.ts');
  const code = readFileSync(path, 'utf8');
  const begin = 'if (!run.isPinned) await pinTask(run);';
  const changed = `import { sleep as lull } from '@temporalio/workflow';\n${code.replace(begin, `await lull(1);\n    ${begin}`)}`;
  expect(code).toContain(begin);
  writeFileSync(path, changed);
  return folder;
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd = ROOT): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, [...args], { cwd, env: stage.environment }, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

const tollgate = (args: readonly string[], root = ROOT) => run(process.execPath, [join(root, 'client', 'cli', 'bin.mjs'), ...args], root);
const temporalCli = (...args: readonly string[]) => run(inject('temporalCli'), [...args, '--address', stage.address]);

async function versions(): Promise<WorkerVersion[]> {
  const { stdout } = await tollgate(['workers', '--json']);
  return JSON.parse(stdout) as WorkerVersion[];
}

async function startGated(id: string): Promise<WorkflowHandle> {
  return await stage.start({ prompt: 'GATED', tools: (await pay()) as never }, { id });
}

const pay = () => recordedTools(stage, { pay: 'irreversible' }, [{ name: 'pay', arguments: { id: 1 }, result: 'ok' }]);

/** The build ids of the workers that carried a run's workflow tasks out. */
async function buildIdsOf(id: string): Promise<string[]> {
  const { events } = await stage.client.workflow.getHandle(id).fetchHistory();
  const ids = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: task }) => (task ? [task.deploymentVersion?.buildId ?? 'none'] : []));
  return [...new Set(ids)];
}

let first: string;
let second: string;

test(
  'a run that began without versions moves to the version that is made current, and new runs go there',
  async () => {
    const unversioned = await stage.startWorker({ TOLLGATE_DEPLOYMENT: '' });
    const early = await startGated('early');
    await stage.openGate(early);
    firstWorker = await stage.startWorker();
    const [version] = await waitFor('the version', versions);
    first = version?.buildId ?? '';
    expect(version?.status).toBe('inactive');
    expect(await tollgate(['workers', 'promote', first])).toMatchObject({ code: 0, stderr: `New runs go to ${first}.\n` });
    await unversioned.stop();
    await stage.approve(early);
    expect(await early.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(await buildIdsOf('early')).toEqual(['none', first]);
    await stage.openGate(await startGated('waits'));
    await stage.openGate(await startGated('waits-longer'));
    expect(await buildIdsOf('waits')).toEqual([first]);
    expect(await versions()).toMatchObject([{ buildId: first, status: 'current' }]);
  },
  TIMEOUT_MS,
);

test(
  'the replay gate lets this build pass and names the runs that another would break',
  async () => {
    const listed = () => stage.client.workflow.count("ExecutionStatus = 'Running' AND TaskQueue = 'tollgate'");
    await waitFor('both runs in visibility', async () => (await listed()).count === 2);
    const folder = join(stage.folder, 'histories');
    const good = await tollgate(['replay', '--from-namespace', '--save', folder]);
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toContain('2 replayed, 0 would break');
    for (const from of [['--from-namespace'], [folder]]) {
      const bad = await tollgate(['replay', ...from], next);
      expect(bad.code).toBe(1);
      expect(bad.stdout).toMatch(/^BREAKS +waits {2}.*Nondeterminism/m);
      expect(bad.stdout).toMatch(/^BREAKS +waits-longer {2}/m);
      expect(bad.stdout).toContain('2 replayed, 2 would break');
    }
    const one = await tollgate(['replay', '--from-namespace', '--query', "WorkflowId = 'waits'", '--json'], next);
    expect(JSON.parse(one.stdout)).toMatchObject({ replayed: 1, broken: [{ agentRunId: 'waits' }] });
  },
  TIMEOUT_MS,
);

test(
  'a run that waits at a gate stays on its version and finishes there, while new runs go to the next',
  async () => {
    await stage.startWorker({}, next);
    second = (await waitFor('the second version', async () => (await versions()).find(({ buildId }) => buildId !== first)))?.buildId ?? '';
    expect(await tollgate(['workers', 'promote', second, '--percent', '50'], next)).toMatchObject({ code: 0 });
    expect((await versions()).find(({ buildId }) => buildId === second)).toMatchObject({ status: 'ramping', percentage: 50 });
    expect(await tollgate(['workers', 'promote', second], next)).toMatchObject({ code: 0 });

    await stage.openGate(await startGated('new'));
    expect(await buildIdsOf('new')).toEqual([second]);
    const old = await waitFor('draining', async () => (await versions()).find(({ buildId, status }) => buildId === first && status === 'draining'));
    expect(old.runningRuns).toBe(2);

    const waits = stage.client.workflow.getHandle('waits');
    await stage.approve(waits);
    expect(await waits.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(await buildIdsOf('waits')).toEqual([first]);
    expect(await stage.ledgerProblems('waits')).toEqual([]);
    expect((await stage.store.listToolCalls((await stage.run('waits')).runKey)).filter((row) => row.tool === 'pay')).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  'a run moved to workers that cannot read its history stands still, loses nothing, and goes on when it is put back',
  async () => {
    const move = (buildId: string) =>
      temporalCli(
        'workflow',
        'update-options',
        '--workflow-id',
        'waits-longer',
        '--versioning-override-behavior',
        'pinned',
        '--versioning-override-deployment-name',
        DEPLOYMENT,
        '--versioning-override-build-id',
        buildId,
      );
    const handle = stage.client.workflow.getHandle('waits-longer');
    const gate = await stage.openGate(handle);
    expect(await move(second)).toMatchObject({ code: 0 });
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
    await waitFor('a failed workflow task', async () => ((await handle.fetchHistory()).events ?? []).some((event) => event.workflowTaskFailedEventAttributes));
    expect((await stage.store.listToolCalls((await stage.run('waits-longer')).runKey)).filter((row) => row.tool === 'pay')).toEqual([]);
    expect(await move(first)).toMatchObject({ code: 0 });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
  },
  TIMEOUT_MS,
);

test(
  'a version that no run is pinned to is drained; its workers stop, and new runs do not miss them',
  async () => {
    await waitFor(
      'drained',
      async () => (await versions()).some(({ buildId, status, runningRuns }) => buildId === first && status === 'drained' && runningRuns === 0),
      60_000,
    );
    await firstWorker.stop();
    const described = await temporalCli('worker', 'deployment', 'describe-version', '--deployment-name', DEPLOYMENT, '--build-id', first);
    expect(described.stdout).toMatch(/drained/i);
    const handle = await startGated('last');
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    expect(await buildIdsOf('last')).toEqual([second]);
  },
  TIMEOUT_MS,
);

test(
  'history per step stays within its bound',
  async () => {
    const tools = await recordedTools(
      stage,
      { look: 'read' },
      Array.from({ length: 20 }, () => ({ name: 'look', arguments: { id: 1 }, result: 'ok' })),
    );
    const handle = await stage.start({ prompt: 'LOOKS', tools: tools as never, models: [{ model: 'gpt-5-nano' }] }, { id: 'looks' });
    expect(await handle.result()).toMatchObject({ status: 'completed', steps: 21 });
    const bytes = Number((await handle.describe()).raw.workflowExecutionInfo?.historySizeBytes);
    expect(bytes / 21).toBeLessThanOrEqual(2_500);
  },
  TIMEOUT_MS,
);

test(
  'a version that no worker has can not be made current',
  async () => {
    const refused = await tollgate(['workers', 'promote', 'nope']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^error: Temporal knows no workers of tollgate:nope /);
  },
  TIMEOUT_MS,
);
