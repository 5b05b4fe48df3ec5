import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** `.ts` in the clone, `.js` in the package. */
const ENDING = extname(import.meta.url);
export const PAYLOAD_CONVERTER_PATH = join(ROOT, 'workflows', `payload-converter${ENDING}`);
/** What workflow code is made of. */
const SOURCES = ['contracts', 'domain', 'workflows'];
/** The folder in the package that has the bundle which its build made. */
export const SHIPPED_FOLDER = 'workflow-bundle';

/**
 * The workflow code as one bundle: the package brings it, the clone builds it once for each state of its sources and
 * keeps it in `cacheFolder`, because building takes seconds and 290 MB, and reading does not. Answers the path of the file.
 */
export async function workflowBundle(cacheFolder: string): Promise<string> {
  return shippedBundle() ?? (await builtBundle(cacheFolder));
}

function shippedBundle(): string | null {
  if (ENDING !== '.js') return null;
  const folder = join(ROOT, SHIPPED_FOLDER);
  const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith('.js')) : undefined;
  return name === undefined ? null : join(folder, name);
}

async function builtBundle(cacheFolder: string): Promise<string> {
  const path = join(cacheFolder, `workflows-${sourceDigest()}.js`);
  if (existsSync(path)) return path;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', `index${ENDING}`),
    payloadConverterPath: PAYLOAD_CONVERTER_PATH,
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error },
    webpackConfigHook: (config) => ({
      ...config,
      // Names in stack traces are relative to the root: the same code gives the same bytes on every machine.
      context: ROOT,
      output: { ...config.output, devtoolModuleFilenameTemplate: '[resource-path]' },
      devtool: 'inline-nosources-source-map',
      ...(ENDING === '.ts' ? { resolve: { ...config.resolve, conditionNames: ['tollgate-source', '...'] } } : {}),
    }),
  });
  mkdirSync(cacheFolder, { recursive: true });
  // Two workers may build at once: whoever renames last wins, with the same bytes.
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, code);
  renameSync(temporary, path);
  return path;
}

function sourceDigest(): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package.json')));
  for (const folder of SOURCES)
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort())
      hash.update(file).update(readFileSync(join(ROOT, folder, file)));
  return hash.digest('hex').slice(0, 16);
}
