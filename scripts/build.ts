// Builds the package into dist/: JavaScript and declarations, what lies beside the sources, the workflow bundle.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SHIPPED_FOLDER, workflowBundle } from '../worker/workflow-bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'dist');
const CONFIG = join(ROOT, 'tsconfig.build.json');
/** The page's modules run in a browser and have a configuration of their own. */
const PAGE = join('client', 'inbox');
/** For the compiler, or for readers of the sources. */
const NOT_SHIPPED = ['.ts', '.mjs', '.md'];
/** Text that the product reads. */
const SHIPPED = ['prompt.md'];

rmSync(OUT, { recursive: true, force: true });
compile(join(ROOT, PAGE), '--noEmit', 'false', '--rewriteRelativeImportExtensions', '--rootDir', ROOT, '--outDir', OUT);
compile(CONFIG);
const { include } = JSON.parse(readFileSync(CONFIG, 'utf8')) as { include: string[] };
for (const folder of include.filter((path) => statSync(join(ROOT, path)).isDirectory()))
  cpSync(join(ROOT, folder), join(OUT, folder), { recursive: true, filter: isShipped });
await workflowBundle(join(OUT, SHIPPED_FOLDER));

function compile(config: string, ...options: readonly string[]): void {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '--project', config, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

function isShipped(path: string): boolean {
  if (statSync(path).isDirectory()) return true;
  if (basename(path) === 'tsconfig.json') return false;
  return SHIPPED.includes(basename(path)) || !NOT_SHIPPED.includes(extname(path));
}
