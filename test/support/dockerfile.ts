import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { read, ROOT } from './compose.ts';

export interface Instruction {
  readonly name: string;
  readonly args: string;
}

export function dockerfile(): Instruction[] {
  const lines = read('Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', args = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    return { name, args };
  });
}

/** What the last stage takes from the checkout. */
export function copiedPaths(): string[] {
  const all = dockerfile();
  const lastStage = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
  return lastStage.flatMap(({ name, args }) => (name === 'COPY' && !args.startsWith('--from') ? args.split(/\s+/).slice(0, -1) : []));
}

/** Every file that `entry` imports at run time, and the packages. Follows only what is written with a literal path. */
export function importClosure(entries: readonly string[]): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const target of importTargets(readFileSync(join(ROOT, file), 'utf8'))) {
      if (target.startsWith('.')) visit(resolveFile(normalize(join(dirname(file), target))));
      else if (!target.startsWith('node:')) packages.add(packageName(target));
    }
  };
  for (const entry of entries) visit(entry);
  return { files, packages };
}

function importTargets(text: string): string[] {
  const imports = /^(?:import|export)\s+(?!type\s)(?:[^'"]*?\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
  const paths = /new URL\('(\.[^']+\.(?:ts|mjs))', import\.meta\.url\)/g;
  return [...[...text.matchAll(imports)].map((match) => match[1] ?? match[2] ?? ''), ...[...text.matchAll(paths)].map((match) => match[1] ?? '')];
}

function resolveFile(path: string): string {
  if (existsSync(join(ROOT, path)) && statSync(join(ROOT, path)).isFile()) return path;
  throw new Error(`${path} is imported and not there`);
}

function packageName(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}
