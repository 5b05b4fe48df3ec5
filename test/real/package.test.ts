import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { OtherProject, ROOT, type Tarball } from '../support/other-project.ts';
import { waitFor } from '../support/wait-for.ts';

const MAX_UNPACKED_BYTES = 5_000_000;
const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED|network/;

const project = new OtherProject({ TEMPORAL_CLI_PATH: inject('temporalCli') });
let tarball: Tarball;
/** Why the package could not be installed, where that is not its own fault. */
let unreachable: string | null = null;

beforeAll(async () => {
  tarball = await project.pack();
  const installed = await project.install(tarball);
  if (installed.code === 0) return;
  if (!NO_REGISTRY.test(installed.stderr)) throw new Error(`npm install failed: ${installed.stderr}`);
  unreachable = 'npm reaches no registry, from which the dependencies come';
});
afterAll(async () => project.close());

test('the tarball has what was built, the CLI, and no sources, tests or paths of this machine', () => {
  const paths = tarball.files.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'client/cli/bin.mjs', 'dist/index.js', 'dist/index.d.ts']));
  expect(paths.filter((path) => !/^(dist\/|LICENSE$|NOTICE$|README\.md$|package\.json$|client\/cli\/bin\.mjs$)/.test(path))).toEqual([]);
  expect(paths.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))).toEqual([]);
  expect(paths.filter((path) => /(^|\/)(test|bench|examples|node_modules|\.tollgate)\/|\.test\./.test(path))).toEqual([]);
  expect(paths.filter((path) => /^dist\/workflow-bundle\/workflows-[0-9a-f]{16}\.js$/.test(path))).toHaveLength(1);
  expect(tarball.unpackedSize).toBeLessThan(MAX_UNPACKED_BYTES);
  expect(paths.filter((path) => path.startsWith('dist/') && readFileSync(join(ROOT, path), 'utf8').includes(ROOT))).toEqual([]);
});

test('the declarations type a project of its own, and have no mistake themselves', async ({ skip }) => {
  if (unreachable !== null) return skip(unreachable);
  const tsc = (...options: readonly string[]) => project.run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', ...options]);
  expect(await tsc('--skipLibCheck')).toMatchObject({ code: 0, stdout: '' });
  // The declarations of Temporal's SDK are checked too here, and have mistakes.
  const { stdout, stderr } = await tsc('--skipLibCheck', 'false');
  expect(stdout.split('\n').filter((line) => line.includes('error TS') && !line.startsWith('node_modules/@temporalio/'))).toEqual([]);
  expect(stderr).toBe('');
});

test('the installed CLI prints the OpenAPI document of its version', async ({ skip }) => {
  if (unreachable !== null) return skip(unreachable);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(await json(['serve', '--print-openapi'])).toMatchObject({ openapi: '3.1.0', info: { version } });
});

test('in an empty folder the installed CLI brings everything up, and a task of that project runs through its gate', async ({ skip }) => {
  if (unreachable !== null) return skip(unreachable);
  const dev = project.start(join(project.folder, 'node_modules', '.bin', 'tollgate'), ['dev', '--scenarios', 'scenarios.yaml']);
  await waitFor('tollgate dev', async () => dev.child.exitCode !== null || dev.output().stdout.includes('Ctrl-C'), 120_000);
  expect(dev.output()).toMatchObject({ stdout: expect.stringContaining('Tollgate runs.') });

  await servesThePage();
  const asked = await run('parcels', { message: 'Where is P-1?' }, ['--wait']);
  expect(asked).toMatchObject({ status: 'completed', output: 'Your parcel is in Rotterdam.', steps: [{ toolCalls: [{ tool: 'find_parcel' }] }, {}] });

  const { agentRunId } = await run('parcels', { message: 'P-2 is lost.' });
  const gate = await waitFor('the gate', async () =>
    (await json(['approvals', 'list', '--json'])).find((open: { agentRunId: string }) => open.agentRunId === agentRunId),
  );
  expect(gate).toMatchObject({ tool: 'pay_out', arguments: { parcelId: 'P-2', amountCents: 1500 } });
  expect(existsSync(join(project.folder, 'payments.jsonl'))).toBe(false);
  expect(await project.tollgate(['approve', gate.approvalId, '--digest', gate.actionDigest])).toMatchObject({ code: 0 });
  const paid = await waitFor('the end', async () =>
    json(['runs', 'show', agentRunId, '--json']).then((shown) => (shown.status === 'completed' ? shown : null)),
  );
  expect(paid.output).toBe('You get 15 EUR.');
  expect(readFileSync(join(project.folder, 'payments.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
  expect((await json(['runs', 'list', '--json'])).map((listed: { agentRunId: string }) => listed.agentRunId)).toContain(agentRunId);

  // So far the package's own bundle was used.
  const bundles = join(project.folder, '.tollgate', 'cache');
  expect(existsSync(bundles)).toBe(false);
  await ownWorkerRunsAnOwnWorkflow();
  expect(readdirSync(bundles).filter((name) => name.startsWith('workflows-'))).toHaveLength(1);

  const { temporalPid } = JSON.parse(readFileSync(join(project.folder, '.tollgate', 'dev.json'), 'utf8')) as { temporalPid: number };
  dev.child.kill('SIGTERM');
  expect(await dev.ended).toBe(0);
  expect(() => process.kill(temporalPid, 0)).toThrow('ESRCH');
  // Nothing was written into the package.
  expect(readdirSync(join(project.folder, 'node_modules', 'tollgate')).sort()).toEqual(['LICENSE', 'NOTICE', 'README.md', 'client', 'dist', 'package.json']);
});

/** The inbox as it was built, with every module that its page leads to. */
async function servesThePage(): Promise<void> {
  const { apiUrl } = JSON.parse(readFileSync(join(project.folder, '.tollgate', 'dev.json'), 'utf8')) as { apiUrl: string };
  const page = await (await fetch(`${apiUrl}/inbox/`)).text();
  const left = [...page.matchAll(/"(\/inbox\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
  const seen = new Set<string>();
  for (let path = left.pop(); path; path = left.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const answer = await fetch(`${apiUrl}${path}`);
    expect(answer.status, path).toBe(200);
    if (!answer.headers.get('content-type')?.startsWith('text/javascript')) continue;
    for (const [, target = ''] of (await answer.text()).matchAll(/^(?:import|export)[^'"]*from\s*['"](\.[^'"]+)['"]/gm))
      left.push(new URL(target, `${apiUrl}${path}`).pathname);
  }
  expect([...seen].filter((path) => path.endsWith('.ts'))).toEqual([]);
  expect(seen.size).toBeGreaterThan(20);
}

/** A worker in a process of the project's own, on a task queue that the worker of `dev` does not poll, with the project's workflows. */
async function ownWorkerRunsAnOwnWorkflow(): Promise<void> {
  const worker = project.start(process.execPath, ['worker.ts']);
  await waitFor('the own worker', async () => worker.child.exitCode !== null || worker.output().stdout.includes('polling'), 60_000);
  expect(worker.output()).toMatchObject({ stdout: 'polling\n' });
  const settings = { TOLLGATE_TASK_QUEUE: 'own', TOLLGATE_CONFIG: 'own-workflows.config.ts' };
  expect(await run('look-once', { message: 'Where is P-1?' }, ['--wait'], settings)).toMatchObject({ status: 'completed', message: 'Looked 1 time.' });
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toBe(0);
  expect(worker.output().stdout).toBe('polling\nstopped\n');
}

async function run(task: string, input: object, options: readonly string[] = [], settings: NodeJS.ProcessEnv = {}) {
  const file = join(project.folder, 'input.json');
  writeFileSync(file, JSON.stringify(input));
  return await json(['run', task, '--input', file, '--json', ...options], settings);
}

async function json(args: readonly string[], settings: NodeJS.ProcessEnv = {}) {
  const { stdout, stderr } = await project.tollgate(args, settings);
  try {
    return JSON.parse(stdout);
  } catch (error) {
    throw new Error(`tollgate ${args.join(' ')} printed no JSON: ${stdout}${stderr}`, { cause: error });
  }
}
