import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { DevProcess } from '../support/dev-process.ts';
import { waitFor } from '../support/wait-for.ts';

const dev = new DevProcess();
afterAll(() => dev.close());

/** Processes that know this session's data folder; the folder's name is in no other. */
function processesOf(home: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const isOurs = [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`].some((file) => readFileSync(file, 'utf8').includes(home));
        return isOurs ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

test('npm start brings the sample run to its gate; the printed command approves it; Ctrl-C stops everything; the state is kept', {
  timeout: 240_000,
}, async () => {
  const first = await dev.start();
  expect(dev.output).toMatch(/Temporal UI\s+http:\/\/127\.0\.0\.1:\d+/);
  expect(dev.output).toContain('SIMULATED');

  expect(await dev.cli(...first.approve)).toMatchObject({ code: 0 });
  const shown = await waitFor('the end of the sample run', async () => {
    const run = JSON.parse((await dev.cli('runs', 'show', 'sample-refund', '--json')).stdout);
    return run.status === 'completed' && run;
  });
  expect(shown.output).toContain('329.00 USD');
  expect(shown.gates).toMatchObject([{ status: 'consumed' }]);

  if (process.platform === 'linux') expect(processesOf(dev.home).length).toBeGreaterThanOrEqual(4);
  expect(await dev.interrupt()).toBe(0);
  if (process.platform === 'linux') expect(processesOf(dev.home)).toEqual([]);

  const second = await dev.start();
  expect(second.approve).not.toEqual(first.approve);
  const listed = JSON.parse((await dev.cli('runs', 'list', '--json')).stdout) as { status: string }[];
  expect(listed.map((run) => run.status).sort()).toEqual(['awaitingApproval', 'completed']);
});
