import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../client/dev/temporal-server.ts';
import { commandsOf, Example, EXAMPLES } from './support/example.ts';

const names = readdirSync(EXAMPLES);
const TIMEOUT_MS = 180_000;

let example: Example | null = null;
afterEach(async () => {
  await example?.close();
  example = null;
}, 60_000);

/** Gives the first command of an example's README, which goes on; answers the others. */
async function begin(name: string): Promise<{ readonly started: Example; readonly rest: readonly string[] }> {
  const started = new Example(name);
  example = started;
  const [first = '', ...rest] = commandsOf(name);
  const [cd, dev = ''] = first.split(' && ');
  expect(cd).toBe(`cd examples/${name}`);
  await started.begin(dev, 'Ctrl-C stops everything');
  return { started, rest };
}

const promised = (name: string) =>
  /```\n([\s\S]*?)\n```/.exec(readFileSync(join(EXAMPLES, name, 'README.md'), 'utf8').replace(/```sh\n[\s\S]*?```/g, ''))?.[1] ?? '';

describe('every example', () => {
  test.each(names)('%s has a README, and imports what a project of its own would', (name) => {
    expect(commandsOf(name).length).toBeLessThanOrEqual(3);
    const files = readdirSync(join(EXAMPLES, name), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const imports = files.flatMap((file) => [...readFileSync(join(EXAMPLES, name, file), 'utf8').matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? ''));
    expect(imports.filter((target) => !/^(tollgate(\/\w+)?|zod|vitest|node:.+|\.\/[^.]+\.ts)$/.test(target))).toEqual([]);
  });
});

describe('the commands of the README give what it says', () => {
  test.each(['hello-tool', 'structured-output'])(
    '%s',
    async (name) => {
      const { started, rest } = await begin(name);
      const [run = '', list = ''] = rest;
      expect((await started.run(run)).stdout).toContain(promised(name));
      expect((await started.run(list)).stdout).toContain('completed');
    },
    TIMEOUT_MS,
  );

  test(
    'refund-with-approval',
    async () => {
      const { started, rest } = await begin('refund-with-approval');
      await started.run(rest[0] ?? '');
      const pending = async () =>
        JSON.parse((await started.run('npx tollgate approvals list --json')).stdout) as { approvalId: string; actionDigest: string }[];
      await expect.poll(pending, { timeout: 30_000 }).toHaveLength(1);
      const [gate] = await pending();
      expect((await started.run('npx tollgate runs show refund-1')).stdout).not.toContain(promised('refund-with-approval'));
      // The README's command asks at a terminal; without one an approval names what it approves.
      await started.run(`npx tollgate approve ${gate?.approvalId} --digest ${gate?.actionDigest}`);
      const shown = async () => (await started.run('npx tollgate runs show refund-1')).stdout;
      await expect.poll(shown, { timeout: 30_000 }).toContain(promised('refund-with-approval'));
    },
    TIMEOUT_MS,
  );

  test(
    'http-tools',
    async () => {
      const { started, rest } = await begin('http-tools');
      const [serve = '', run = ''] = rest;
      const port = await freePort();
      const task = join(started.folder, 'support', 'task.yaml');
      writeFileSync(task, readFileSync(task, 'utf8').replace('4400', String(port)));
      await started.begin(`${serve} ${port}`, 'Tools at');
      expect((await started.run(run)).stdout).toContain(promised('http-tools'));
    },
    TIMEOUT_MS,
  );

  test(
    'backend',
    async () => {
      const { started, rest } = await begin('backend');
      const [ask = '', list = ''] = rest;
      expect((await started.run(ask, { TEMPORAL_ADDRESS: started.temporalAddress })).stdout.trim()).toBe(promised('backend'));
      expect((await started.run(list)).stdout).toContain('completed');
    },
    TIMEOUT_MS,
  );
});
