import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../client/cli/program.ts';
import type { CliServices } from '../../client/cli/services.ts';
import { filledIn, parseCompose, read, ROOT } from '../support/compose.ts';
import { copiedPaths, dockerfile, importClosure } from '../support/dockerfile.ts';

const { services } = parseCompose(filledIn());
const ours = Object.values(services).filter(({ image }) => image.startsWith('tollgate:'));
const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
const entryPoint = JSON.parse(dockerfile().find(({ name }) => name === 'ENTRYPOINT')?.args ?? '[]') as string[];
const ENTRIES = [
  'client/cli/main.ts',
  'worker/main.ts',
  'worker/replay-main.ts',
  'adapters/providers/simulated/main.ts',
  'tollgate.config.ts',
  'workflows/index.ts',
];

test('every path that is copied exists, and .dockerignore lets it through', () => {
  const allowed = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  expect(read('.dockerignore')).toMatch(/^\*$/m);
  expect(copiedPaths().length).toBeGreaterThan(10);
  expect(copiedPaths().filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  expect(allowed.toSorted()).toEqual([...new Set([...copiedPaths(), 'package-lock.json'])].toSorted());
});

test('what the processes import is copied, and every package is one for production', () => {
  const { files, packages } = importClosure([...ENTRIES, entryPoint[1] ?? '']);
  expect(files.size).toBeGreaterThan(100);
  // The dev server's download is no part of it: TEMPORAL_ADDRESS is set.
  const needed = [...files].filter((file) => file !== 'scripts/download-temporal.ts');
  expect(needed.filter((file) => !copiedPaths().some((path) => file === path || file.startsWith(`${path}/`)))).toEqual([]);
  expect([...packages].filter((name) => name !== 'tollgate' && !(name in manifest.dependencies))).toEqual([]);
});

test('the image is pinned to the Node that the project uses, and does not run as root', () => {
  const images = dockerfile().flatMap(({ name, args }) => (name === 'FROM' ? [args.split(' ')[0]] : []));
  expect(new Set(images)).toEqual(new Set([`node:${manifest.devDependencies.node}-bookworm-slim`]));
  const users = dockerfile().flatMap(({ name, args }) => (name === 'USER' ? [args] : []));
  expect(users).toEqual(['node']);
  const names = dockerfile().map(({ name }) => name);
  expect(names.lastIndexOf('USER')).toBeGreaterThan(names.lastIndexOf('RUN'));
});

/** What the CLI prints as the help of a command; asking for help needs nothing else. */
async function helpOf(command: string): Promise<string> {
  const lines: string[] = [];
  const terminal = { print: (line: string) => lines.push(line), note: (line: string) => lines.push(line) };
  const code = await runCli([command, '--help'], { terminal, close: async () => undefined } as unknown as CliServices);
  return code === 0 ? lines.join('\n') : `exit code ${code}: ${lines.join('\n')}`;
}

test('every variable of the Dockerfile is a setting, and every command that is run is one of the CLI', async () => {
  const variables = dockerfile().flatMap(({ name, args }) => (name === 'ENV' ? args.split(' ').map((pair) => pair.split('=')[0]) : []));
  expect(variables).toEqual(['NODE_ENV', 'TOLLGATE_HOME']);
  const commands = ours.flatMap(({ entrypoint, command }) => (entrypoint === undefined && command ? [command] : []));
  expect(entryPoint[0]).toBe('node');
  for (const [command = '', ...rest] of [...commands, JSON.parse(dockerfile().find(({ name }) => name === 'CMD')?.args ?? '[]') as string[]]) {
    expect(rest).toEqual([]);
    expect((await helpOf(command)).split('\n')[0]).toBe(`Usage: tollgate ${command} [options]`);
  }
  expect(await helpOf('migrat')).not.toContain('tollgate migrat');
  for (const { entrypoint } of ours) if (entrypoint) expect(existsSync(join(ROOT, entrypoint[1] ?? ''))).toBe(true);
});
