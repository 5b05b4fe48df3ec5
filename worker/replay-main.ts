import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { openKeyring } from '../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../adapters/keys/payload-codec.ts';
import { openStore } from '../adapters/stores/open-store.ts';
import { loadProject } from '../adapters/tasks/project.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { Keyring } from '../domain/encryption/port.ts';
import { bundleOption } from './call-stacks.ts';
import { translatedConnectError } from './connect-error.ts';
import { type ReplayVerdict, replay } from './replay.ts';
import { historiesInFolder, historiesInNamespace, type RunningRuns, runningRunsQuery, saveHistory, type StoredHistory } from './stored-histories.ts';
import { temporalTarget } from './wiring.ts';
import { workflowBundle } from './workflow-bundle.ts';

const CONNECT_TIMEOUT_MS = 4_000;

/** The process behind `tollgate replay`: exit code 0 where every history replays, 1 where one does not, 2 where it can't be told. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'from-namespace': { type: 'boolean' },
      query: { type: 'string' },
      limit: { type: 'string' },
      save: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const settings = loadSettings();
  // What the SDK logs of a replay is what the verdict says; its native part would log to standard output.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), telemetryOptions: { logging: { filter: 'ERROR', forward: {} } } });
  const json = values.json ?? false;
  if (!values['from-namespace']) return await judge(settings, historiesInFolder(positionals[0] ?? ''), json);
  const runs: RunningRuns = {
    taskQueue: settings.taskQueue,
    limit: Number(values.limit),
    ...(values.query === undefined ? {} : { query: values.query }),
  };
  const client = await connect(settings);
  const { count } = await client.workflow.count(runningRunsQuery(runs));
  if (count > runs.limit) process.stderr.write(`${count} runs are going on; the newest ${runs.limit} are replayed (--limit).\n`);
  const histories = historiesInNamespace(client, runs);
  return await judge(settings, values.save === undefined ? histories : saving(values.save, histories), json);
}

async function connect(settings: Settings): Promise<Client> {
  const { namespace, ...options } = await temporalTarget(settings);
  try {
    return new Client({ connection: await Connection.connect({ ...options, connectTimeout: CONNECT_TIMEOUT_MS }), namespace });
  } catch (error) {
    throw translatedConnectError(options.address, error);
  }
}

async function* saving(folder: string, histories: AsyncIterable<StoredHistory>): AsyncIterable<StoredHistory> {
  for await (const history of histories) {
    saveHistory(folder, history);
    yield history;
  }
}

async function judge(settings: Settings, histories: AsyncIterable<StoredHistory>, json: boolean): Promise<number> {
  const { home, configPath } = settings;
  const { workflowsPath } = await loadProject(configPath, process.cwd());
  const codePath = await workflowBundle(join(home, 'cache'), workflowsPath);
  const verdicts: ReplayVerdict[] = [];
  for await (const verdict of replay(await bundleOption(codePath, settings), histories, openingCodec(settings))) {
    verdicts.push(verdict);
    if (!json) print(verdict.breaks === null ? `replays  ${verdict.agentRunId}` : `BREAKS   ${verdict.agentRunId}  ${verdict.breaks}`);
  }
  const broken = verdicts.filter(({ breaks }) => breaks !== null);
  if (json) print(JSON.stringify({ replayed: verdicts.length, broken: broken.map(({ agentRunId, breaks }) => ({ agentRunId, reason: breaks })) }));
  else print(`${verdicts.length} replayed, ${broken.length} would break under the workflow code of this build.`);
  return broken.length === 0 ? 0 : 1;
}

/** Opens sealed payloads; the store is opened only where there is one. */
function openingCodec(settings: Settings): PayloadCodec {
  let keyring: Promise<Keyring> | null = null;
  const open = () => {
    keyring ??= openStore(settings).then((store) => openKeyring(settings, store));
    return keyring;
  };
  return new PayloadCodec(open, { seals: () => false });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const told = error instanceof TollgateError ? error.message : error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    process.stderr.write(`error: ${told}\n`);
    process.exit(2);
  },
);
