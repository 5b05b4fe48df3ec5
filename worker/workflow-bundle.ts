import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { bundleWorkflowCode } from '@temporalio/worker';
import { TollgateError } from '../contracts/failures.ts';
import { modulesOf } from './module-files.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** `.ts` in the clone, `.js` in the package. */
const ENDING = extname(import.meta.url);
const INDEX = join(ROOT, 'workflows', `index${ENDING}`);
const PIECES = join(ROOT, 'workflows', `pieces${ENDING}`);
const PAYLOAD_CONVERTER_PATH = join(ROOT, 'workflows', `payload-converter${ENDING}`);
const FAILURE_CONVERTER_PATH = join(ROOT, 'worker', `failure-converter${ENDING}`);
/** The converters are in the bundle too. */
export const dataConverter = (codec: PayloadCodec): DataConverter => ({
  payloadConverterPath: PAYLOAD_CONVERTER_PATH,
  failureConverterPath: FAILURE_CONVERTER_PATH,
  payloadCodecs: [codec],
});
/** Goes up with what is done to the sources below: a bundle made in another way is another version. */
const MADE = 'made 2';
/** What workflow code is made of. */
const SOURCES = ['contracts', 'domain', 'workflows'];
/** The folder in the package that has the bundle which its build made. */
export const SHIPPED_FOLDER = 'workflow-bundle';
/** Colours, as webpack writes them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const ANSI_COLOURS = /\u001b\[[0-9;]*m/g;
const MAX_SHOWN_ERROR = 4_000;

/**
 * The workflow code as one bundle: the package brings it, the clone builds it once for each state of its sources and
 * keeps it in `cacheFolder`, because building takes seconds and 290 MB, and reading does not. With a module of the project's
 * own workflows, theirs and ours are in it, and ours can't be replaced. Answers the path of the file.
 * @throws TollgateError `invalidInput` where the code can't be bundled, with what the bundler says.
 */
export async function workflowBundle(cacheFolder: string, projectWorkflows?: string): Promise<string> {
  if (projectWorkflows !== undefined) return await builtBundle(cacheFolder, entryFor(projectWorkflows, cacheFolder), modulesOf(projectWorkflows));
  return shippedBundle() ?? (await builtBundle(cacheFolder, INDEX, []));
}

function shippedBundle(): string | null {
  if (ENDING !== '.js') return null;
  const folder = join(ROOT, SHIPPED_FOLDER);
  const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith('.js')) : undefined;
  return name === undefined ? null : join(folder, name);
}

async function builtBundle(cacheFolder: string, workflowsPath: string, projectFiles: readonly string[]): Promise<string> {
  const path = join(cacheFolder, `workflows-${sourceDigest(projectFiles)}.js`);
  if (!existsSync(path)) keep(path, await build(workflowsPath));
  return path;
}

type WebpackConfiguration = Parameters<NonNullable<NonNullable<Parameters<typeof bundleWorkflowCode>[0]>['webpackConfigHook']>>[0];

async function build(workflowsPath: string): Promise<string> {
  const errors: string[] = [];
  try {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      payloadConverterPath: PAYLOAD_CONVERTER_PATH,
      failureConverterPath: FAILURE_CONVERTER_PATH,
      // Ours are loaded once and not for every run: they keep nothing between runs. A project's own are loaded for each.
      preloadModules: [INDEX, PIECES, PAYLOAD_CONVERTER_PATH, FAILURE_CONVERTER_PATH],
      logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: (message: string) => errors.push(message) },
      webpackConfigHook: (config) => ({
        ...config,
        // Names in stack traces are relative to the root: the same code gives the same bytes on every machine.
        context: ROOT,
        output: { ...config.output, devtoolModuleFilenameTemplate: '[resource-path]' },
        devtool: 'inline-nosources-source-map',
        module: { ...config.module, rules: (config.module?.rules ?? []).map(asNodeRuns) },
        resolve: resolved(config.resolve),
      }),
    });
    return code;
  } catch (error) {
    const why = errors.join('\n').replaceAll(ANSI_COLOURS, '').slice(0, MAX_SHOWN_ERROR) || (error as Error).message;
    throw new TollgateError('invalidInput', `The workflows in ${workflowsPath} can't be bundled. ${why}`, { cause: error });
  }
}

type Rule = NonNullable<NonNullable<WebpackConfiguration['module']>['rules']>[number];

/** The SDK writes spreads and private fields out for engines of 2017; Node runs them itself, and faster. */
function asNodeRuns(rule: Rule): Rule {
  if (typeof rule !== 'object' || !rule || typeof rule.use !== 'object' || !('options' in rule.use) || typeof rule.use.options !== 'object') return rule;
  const { jsc } = rule.use.options as { readonly jsc?: object };
  return jsc === undefined ? rule : { ...rule, use: { ...rule.use, options: { ...rule.use.options, jsc: { ...jsc, target: 'es2022' } } } };
}

/** In the clone, `tollgate/workflows` is these sources; and Temporal's part is ours, so that each is in the bundle once. */
function resolved(given: WebpackConfiguration['resolve']): NonNullable<WebpackConfiguration['resolve']> {
  const temporal = dirname(createRequire(import.meta.url).resolve('@temporalio/workflow/package.json'));
  return {
    ...given,
    alias: { ...given?.alias, '@temporalio/workflow': temporal },
    ...(ENDING === '.ts' ? { conditionNames: ['tollgate-source', '...'] } : {}),
  };
}

/** A module that exports our workflows and the project's. A name exported outright comes before one of `export *`. */
function entryFor(projectWorkflows: string, cacheFolder: string): string {
  const text = `export { agentRun, reconcileHeld } from ${JSON.stringify(INDEX)};\nexport * from ${JSON.stringify(projectWorkflows)};\n`;
  // Absolute, because the bundler looks from the root.
  const path = resolve(cacheFolder, `entry-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.mjs`);
  keep(path, text);
  // The bundler puts a file of its own beside it and finds that only under the real path: a temporary folder may be a link.
  return realpathSync(path);
}

/** Two workers may write at once: whoever renames last wins, with the same bytes. */
function keep(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function sourceDigest(projectFiles: readonly string[]): string {
  const { version } = createRequire(import.meta.url)('@temporalio/workflow/package.json') as { version: string };
  // Nothing of our own package.json: a release that leaves the workflow code alone is the same version of it.
  const hash = createHash('sha256').update(version).update(MADE);
  for (const folder of SOURCES)
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ENDING))
      .sort())
      hash.update(file).update(readFileSync(join(ROOT, folder, file)));
  hash.update(readFileSync(FAILURE_CONVERTER_PATH));
  for (const file of projectFiles) hash.update(file).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
