import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const IMPORT = /(?:\bfrom|\bimport|\brequire\()\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;
const EXTENSIONS = ['', '.ts', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js'];
/** What pins the packages that a project's modules import. */
const LOCK_FILES = ['package.json', 'package-lock.json', 'pnpm-lock.yaml', 'yarn.lock'];

/**
 * The files that a module is made of: itself, what it imports by relative path, and what pins the packages beside it, in the
 * order of their paths. For a digest: a file more than needed does no harm.
 */
export function modulesOf(entry: string): readonly string[] {
  const found = new Set<string>();
  const pending = [resolve(entry)];
  for (let file = pending.pop(); file; file = pending.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const path = fileOf(resolve(dirname(file), target));
      if (path) pending.push(path);
    }
  }
  return [...found, ...lockFiles(dirname(resolve(entry)))].sort();
}

function fileOf(path: string): string | undefined {
  const candidates = [...EXTENSIONS.map((extension) => `${path}${extension}`), path.replace(/\.js$/, '.ts')];
  return candidates.find((candidate) => existsSync(candidate) && statSync(candidate).isFile());
}

/** Of the nearest folder that has any, upwards. */
function lockFiles(folder: string): string[] {
  const here = LOCK_FILES.map((name) => join(folder, name)).filter((path) => existsSync(path));
  const parent = dirname(folder);
  return here.length > 0 || parent === folder ? here : lockFiles(parent);
}
