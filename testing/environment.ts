import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openLocalKey } from '../adapters/keys/local-key.ts';
import { openKeyring } from '../adapters/keys/open-keyring.ts';
import { createPriceSource } from '../adapters/prices/genai-prices.ts';
import { createModelCatalogue } from '../adapters/providers/model-catalogue.ts';
import { startSimulatedProvider } from '../adapters/providers/simulated/server.ts';
import { openStore } from '../adapters/stores/open-store.ts';
import { loadProject, type Project, toProject } from '../adapters/tasks/project.ts';
import { createAgentClient } from '../client/agent-client.ts';
import { startChild } from '../client/dev/child-process.ts';
import { IS_CLONE, ownScript } from '../client/dev/own-script.ts';
import { resolveTemporalCli } from '../client/dev/temporal-cli.ts';
import { redactionOf } from '../client/main.ts';
import { connectTemporal } from '../client/temporal-connection.ts';
import { childEnvironment, loadSettings } from '../config/load.ts';
import type { SettingName } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ProjectSpec, TaskSpec } from '../domain/task/define.ts';
import { type Approver, ApproverLoop, type ClientOf } from './approver.ts';
import { pricedModels } from './model-prices.ts';
import type { ScriptTurn } from './script.ts';
import { ScriptedModel } from './scripted-model.ts';
import { Stops } from './stops.ts';
import { TestEnvironment } from './test-environment.ts';
import type { ToolReplacements } from './replaced-tools.ts';

export interface TestEnvironmentOptions {
  /** The tasks under test. */
  readonly tasks?: readonly TaskSpec[];
  /** In place of `tasks`: a whole project, or the path of its `tollgate.config.ts`. */
  readonly config?: ProjectSpec | string;
  /** What the model says, unless `model.script` says otherwise later. */
  readonly model?: readonly ScriptTurn[];
  /** What runs in place of tools. A tool that is not replaced runs for real. */
  readonly tools?: ToolReplacements;
  /** Who decides at gates. Default: nobody, and the test does it with `run.approve` and `run.deny`. */
  readonly approver?: Approver;
  /** `process`: the worker is a process of its own, which `killWorker` can kill. Needs `config` to be a path. */
  readonly worker?: 'here' | 'process';
  /** A Temporal server that runs already, to save the second that one of its own takes to start. */
  readonly temporalAddress?: string;
  /** Further settings by their environment variable, such as `{ TOLLGATE_LOG_LEVEL: 'debug' }`. */
  readonly settings?: { readonly [Name in SettingName]?: string | undefined };
}

/**
 * Starts what a run needs, for tests: a Temporal dev server, a store in a temporary folder, a scripted model in place of the
 * real ones, a worker with the given tasks. Needs no key and costs nothing. Stop it in an `afterAll`, or declare it with
 * `await using`.
 * @throws TollgateError, after everything that had started is stopped again.
 */
export async function startTestEnvironment(options: TestEnvironmentOptions): Promise<TestEnvironment> {
  checkOptions(options);
  const stops = new Stops();
  try {
    return await open(options, stops);
  } catch (error) {
    await stops.run().catch(() => undefined);
    throw error;
  }
}

function checkOptions({ tasks, config, worker }: TestEnvironmentOptions): void {
  if ((tasks === undefined) === (config === undefined)) throw new TollgateError('invalidInput', 'A test environment takes either "tasks" or "config".');
  if (worker === 'process' && typeof config !== 'string')
    throw new TollgateError('invalidInput', 'A worker in a process of its own loads its tasks from a file: give "config" as the path of a tollgate.config.ts.');
}

async function open(options: TestEnvironmentOptions, stops: Stops): Promise<TestEnvironment> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-testing-'));
  stops.add(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  shareBundles(folder);
  const model = new ScriptedModel();
  if (options.model) model.script(options.model);
  const provider = await startSimulatedProvider({
    billFile: join(folder, 'bill.jsonl'),
    script: (request) => model.answer(request),
    findModel: (name) => model.findModel(name),
  });
  stops.add(() => provider.close());
  // One after the other: a mistake in the project must not leave a server behind that is still starting.
  const project = await projectOf(options);
  const address = options.temporalAddress ?? (await startTemporal(folder, stops));
  const taskQueue = `testing-${folder.slice(-6)}`;
  const settings = isolated(options, { folder, address, taskQueue, simulatedUrl: provider.url });

  const store = await openStore({ home: folder });
  stops.add(() => store.close());
  const { client, connection } = await connectTemporal({ address, namespace: 'default' });
  stops.add(() => connection.close());
  const { signer } = await openLocalKey(folder);
  const redaction = redactionOf({}, project.spec, openKeyring({ home: folder }, store));
  const clientOf: ClientOf = (identity) => createAgentClient({ client, taskQueue, store, signer, identity, redaction: async () => redaction });
  const approver = new ApproverLoop(store, clientOf, options.approver ?? (() => 'leave'));
  stops.add(() => approver.stop());
  const prices = pricedModels(catalogueOf(project, provider.url), model);
  prices.add([...project.registry.tasks.values()]);
  const environment = new TestEnvironment({
    folder,
    temporalAddress: address,
    project,
    settings,
    model,
    prices,
    store,
    clientOf,
    approver,
    provider,
    stops,
    isProcess: options.worker === 'process',
  });
  environment.replaceTools(options.tools ?? {});
  await environment.startWorker();
  return environment;
}

/** The package brings its workflow bundle; the clone builds one, which takes seconds, so environments share what one has built. */
function shareBundles(folder: string): void {
  if (!IS_CLONE) return;
  const cache = resolve(loadSettings().home, 'cache');
  mkdirSync(cache, { recursive: true });
  symlinkSync(cache, join(folder, 'cache'), 'junction');
}

async function projectOf({ tasks, config }: TestEnvironmentOptions): Promise<Pick<Project, 'spec' | 'registry'>> {
  if (typeof config === 'string') return await loadProject(config, process.cwd());
  return toProject(config ?? { tasks }, 'given to startTestEnvironment');
}

async function startTemporal(folder: string, stops: Stops): Promise<string> {
  const { path } = await resolveTemporalCli({ configuredPath: loadSettings().temporalCliPath, onProgress: (line) => process.stderr.write(`${line}\n`) });
  const child = await startChild({
    name: 'Temporal dev server',
    script: ownScript('testing/temporal-main'),
    args: [path, folder],
    env: childEnvironment({}),
    logPath: join(folder, 'temporal.log'),
  });
  stops.add(() => child.stop());
  return String(child.ready.address);
}

/** Nothing of the person's own settings may lead a test to a real model, store or server. */
function isolated(
  { config, settings }: TestEnvironmentOptions,
  {
    folder,
    address,
    taskQueue,
    simulatedUrl,
  }: { readonly folder: string; readonly address: string; readonly taskQueue: string; readonly simulatedUrl: string },
): { readonly [Name in SettingName]?: string | undefined } {
  return {
    TOLLGATE_LOG_LEVEL: 'error',
    ...settings,
    TOLLGATE_HOME: folder,
    TOLLGATE_CONFIG: typeof config === 'string' ? resolve(config) : undefined,
    TOLLGATE_TASK_QUEUE: taskQueue,
    TOLLGATE_SIMULATED_URL: simulatedUrl,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_API_KEY: undefined,
    TEMPORAL_TLS_CERT: undefined,
    TEMPORAL_TLS_KEY: undefined,
    TEMPORAL_TLS_CA: undefined,
    OPENAI_API_KEY: undefined,
    OPENAI_BASE_URL: undefined,
    DATABASE_URL: undefined,
  };
}

function catalogueOf({ spec: { models, endpoints, prices } }: Pick<Project, 'spec'>, simulatedUrl: string) {
  return createModelCatalogue({
    openai: {},
    simulatedUrl,
    ...(models ? { models } : {}),
    ...(endpoints ? { endpoints } : {}),
    secret: () => undefined,
    prices: createPriceSource({ file: prices }),
  });
}
