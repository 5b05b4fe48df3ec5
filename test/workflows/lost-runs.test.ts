import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupStore, restoreStore } from '../../adapters/stores/backup/backup.ts';
import { findLostRuns } from '../../client/lost-runs.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const pay = (to: string) => ({ toolCalls: [{ name: 'pay', arguments: { to } }] });
const scenarios = [{ id: 'pays', match: { system: 'PAYS' }, turns: [pay('bob'), pay('eve'), { text: 'paid' }] }];

const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(() => stage.close());

async function doctor(): Promise<{ code: number; check: { status: string; message: string; fix?: string } }> {
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, [join(ROOT, 'client', 'cli', 'main.ts'), 'doctor', '--json'], { cwd: ROOT, env: stage.environment }, (error, stdout) => {
      const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; message: string; fix?: string }[] };
      const check = checks.find(({ name }) => name === 'runs and store');
      if (check) resolve({ code: Number(error?.code ?? 0), check });
      else reject(error ?? new Error('there is no such check'));
    });
  });
}

test('doctor finds the runs whose history names what a restored store lacks, and such a run sends nothing', async () => {
  const lines = ['bob', 'eve'].map((to) => ({ name: 'pay', arguments: { to }, result: `paid ${to}` }));
  const tools = (await recordedTools(stage, { pay: 'irreversible' }, lines)) as never;
  const untouched = await stage.start({ prompt: 'PAYS', tools }, { id: 'untouched' });
  await stage.openGate(untouched);
  const further = await stage.start({ prompt: 'PAYS', tools }, { id: 'went-further' });
  await stage.openGate(further);
  expect(await findLostRuns(stage.client, stage.store, 'tollgate', 0)).toEqual({ looked: 2, lost: [], isPartial: false });
  expect((await doctor()).check).toMatchObject({ status: 'ok' });

  const file = join(stage.folder, 'backup.jsonl');
  await backupStore({ home: stage.folder }, file, { overwrite: false });
  await stage.approve(further);
  await waitFor('the second payment to wait', async () => (stage.billLines().length >= 3 ? true : null));
  await stage.openGate(further);
  const late = await stage.start({ prompt: 'PAYS', tools }, { id: 'came-later' });
  await stage.openGate(late);

  for (const worker of stage.workers) await stage.kill(worker);
  await restoreStore({ home: stage.folder }, file, { replace: true });
  const { looked, lost } = await findLostRuns(stage.client, stage.store, 'tollgate', 0);
  expect(looked).toBe(3);
  expect(lost.toSorted((a, b) => a.agentRunId.localeCompare(b.agentRunId))).toEqual([
    { agentRunId: 'came-later', lacks: 'the run itself' },
    { agentRunId: 'went-further', lacks: expect.stringMatching(/^(attempt|tool call|gate) /) },
  ]);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const found = await doctor();
  expect(found.code).toBe(1);
  expect(found.check).toMatchObject({ status: 'problem', message: expect.stringContaining('came-later'), fix: expect.stringContaining('runs cancel') });
  expect(found.check.message).toContain('went-further');
  expect(found.check.message).not.toContain('untouched');

  const billed = stage.billLines().length;
  await stage.startWorker();
  await further.signal('addUserMessage', { messageId: 'm1', text: 'Go on.' });
  await late.signal('addUserMessage', { messageId: 'm1', text: 'Go on.' });
  await stage.approve(untouched);
  await waitFor('the run that the store knows to go on', async () => (stage.billLines().length > billed ? true : null));
  const attempts = new Set((await stage.store.listAttempts((await stage.run('untouched')).runKey)).map(({ attemptId }) => String(attemptId)));
  expect(
    stage
      .billLines()
      .slice(billed)
      .every(({ clientRequestId }) => attempts.has(String(clientRequestId))),
  ).toBe(true);
});
