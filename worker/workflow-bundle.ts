import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { TollgateError } from '../contracts/failures.ts';
import { modulesOf } from './module-files.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What workflow code is made of. */
const SOURCES = ['contracts', 'domain', 'workflows'];
/** Colours, as webpack writes them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const ANSI_COLOURS = /\u001b\[[0-9;]*m/g;
const MAX_SHOWN_ERROR = 4_000;
const INDEX = join(ROOT, 'workflows', 'index.ts');

/**
 * The workflow code as one bundle, built once for each state of its sources and kept in `cacheFolder`: building takes
 * seconds and 290 MB, reading does not. With a module of the project's own workflows, theirs and ours are in it, and ours
 * can't be replaced. Answers the path of the file. @throws TollgateError `invalidInput` where the project's can't be bundled.
 */
export async function workflowBundle(cacheFolder: string, projectWorkflows?: string): Promise<string> {
  const path = join(cacheFolder, `workflows-${sourceDigest(projectWorkflows)}.js`);
  if (existsSync(path)) return path;
  mkdirSync(cacheFolder, { recursive: true });
  const code = await build(projectWorkflows === undefined ? INDEX : entryFor(projectWorkflows, cacheFolder), projectWorkflows);
  keep(path, code);
  return path;
}

async function build(workflowsPath: string, projectWorkflows: string | undefined): Promise<string> {
  const errors: string[] = [];
  try {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      payloadConverterPath: join(ROOT, 'workflows', 'payload-converter.ts'),
      webpackConfigHook: (config) => ({ ...config, resolve: resolved(config.resolve) }),
      logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: (message: string) => errors.push(message) },
    });
    return code;
  } catch (error) {
    const why = errors.join('\n').replaceAll(ANSI_COLOURS, '').slice(0, MAX_SHOWN_ERROR) || (error as Error).message;
    throw new TollgateError('invalidInput', `The workflows in ${projectWorkflows ?? workflowsPath} can't be bundled. ${why}`, { cause: error });
  }
}

type Resolve = NonNullable<Parameters<NonNullable<NonNullable<Parameters<typeof bundleWorkflowCode>[0]>['webpackConfigHook']>>[0]['resolve']>;

/** In the clone, `tollgate/workflows` is these sources, and Temporal's part is ours, so that each is in the bundle once. */
function resolved(resolve: Resolve | undefined): Resolve {
  const temporal = dirname(createRequire(import.meta.url).resolve('@temporalio/workflow/package.json'));
  return { ...resolve, conditionNames: ['tollgate-source', '...'], alias: { ...resolve?.alias, '@temporalio/workflow': temporal } };
}

/** A module that exports our workflows and the project's. A name exported outright comes before one of `export *`. */
function entryFor(projectWorkflows: string, cacheFolder: string): string {
  const text = `export { agentRun } from ${JSON.stringify(INDEX)};\nexport * from ${JSON.stringify(projectWorkflows)};\n`;
  const path = join(cacheFolder, `entry-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.mjs`);
  keep(path, text);
  // The bundler puts a file of its own beside it and finds that only under the real path: a temporary folder may be a link.
  return realpathSync(path);
}

/** Two workers may write at once: whoever renames last wins, with the same bytes. */
function keep(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function sourceDigest(projectWorkflows: string | undefined): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package.json')));
  for (const folder of SOURCES)
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort())
      hash.update(file).update(readFileSync(join(ROOT, folder, file)));
  for (const file of projectWorkflows === undefined ? [] : modulesOf(projectWorkflows)) hash.update(file).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
