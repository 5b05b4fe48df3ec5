import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { createPriceSource } from '../../adapters/prices/genai-prices.ts';
import { importPriceFile } from '../../adapters/prices/import-prices.ts';
import { priceLine } from '../../adapters/prices/price-line.ts';
import { explainErrorLine } from '../../adapters/providers/explain-error-line.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { createTokenVerifier } from '../../adapters/identity/token-verifier.ts';
import { newDecisionKeyPair } from '../../adapters/keys/decision-keys.ts';
import { openKeyring, openWrapper } from '../../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../../adapters/keys/payload-codec.ts';
import { backupStore, restoreStore } from '../../adapters/stores/backup/backup.ts';
import { checkStore, describeStore, migrateStore, openStore } from '../../adapters/stores/open-store.ts';
import { loadProject } from '../../adapters/tasks/project.ts';
import { readTaskFolder } from '../../adapters/tasks/task-folder.ts';
import { checkMcpServers } from '../../adapters/tools/mcp/check.ts';
import { listMcpTools } from '../../adapters/tools/mcp/listing.ts';
import { McpServers } from '../../adapters/tools/mcp/servers.ts';
import { childEnvironment, isLoopbackAddress, loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import { DATA_CLASSES } from '../../domain/erasure/store-port.ts';
import { applyRetention } from '../../domain/erasure/retention.ts';
import { personHashes } from '../../domain/erasure/person.ts';
import type { Store } from '../../domain/store/port.ts';
import { createAgentClient } from '../agent-client.ts';
import type { Identity } from '../decision.ts';
import { apiScript, devProcesses, replayScript, workerScript } from '../dev/dev-parts.ts';
import { type DevPlaces, runDevSession } from '../dev/dev-session.ts';
import { NODE_OPTIONS } from '../dev/own-script.ts';
import { SAMPLE_TASK } from '../dev/sample-run.ts';
import type { ErasurePorts } from '../erasure.ts';
import { createHttpAgentClient } from '../http-agent-client.ts';
import { createLocalDoor, type LocalDoorPorts } from '../local-door.ts';
import { addressOf, catalogueOf, openSigner, redactionOf } from '../main.ts';
import type { RunsDoor } from '../runs-door.ts';
import { namespaceRetentionMs, TemporalConnections } from '../temporal-connection.ts';
import { decidingAsPerson } from './person-door.ts';
import { runCli } from './program.ts';
import type { CliServices, RedactLineOptions } from './services.ts';
import { processTerminal } from './terminal.ts';

/** An MCP server that is started for the first time may have to be downloaded. */
const MCP_TIMEOUT_MS = 60_000;
const RETENTION_TIMEOUT_MS = 2_000;
/** Runs of one class in one pass. */
const RETENTION_PASS = 500;

const terminal = processTerminal();
const settings = once(loadSettings);
let openedStore: Promise<Store> | null = null;
const prices = once(priceSource);
const keyring = once(async () => openKeyring(settings(), await store()));
const connections = new TemporalConnections(codec());

const services: CliServices = {
  terminal,
  scrub: (text) => createScrubber(openEngine({})).text(text),
  runs: once(openRuns),
  api: () => settings().api ?? null,
  cwd: process.cwd(),
  home: () => settings().home,
  identity: identityHere,
  taskQueue: () => settings().taskQueue,
  switchedOffSearchAttributes: () => settings().searchAttributesOff,
  traceparent: () => settings().traceparent,
  connect: (timeoutMs) => connections.get(addressOf(settings()), timeoutMs),
  openStore: store,
  store: {
    describe: () => describeStore(settings()),
    check: () => checkStore(settings()),
    migrate: () => migrateStore(settings()),
    backup: (file, options) => backupStore(settings(), file, options),
    restore: (file, options) => restoreStore(settings(), file, options),
  },
  signer: () => openSigner(settings()),
  newDecisionKeyPair,
  project: once(() => loadProject(settings().configPath, process.cwd())),
  readTaskFolder: readFolder,
  listMcpTools: (server) => withMcpServers(settings(), async (servers) => await listMcpTools(servers, server, AbortSignal.timeout(MCP_TIMEOUT_MS))),
  checkMcp: () =>
    withMcpServers(settings(), async (servers) =>
      checkMcpServers(servers, (await services.project()).registry.tasks.values(), AbortSignal.timeout(MCP_TIMEOUT_MS)),
    ),
  catalogue: (spec) => catalogueOf(settings(), spec),
  provider: () => (settings().api ? 'none' : settings().openai.apiKey !== undefined ? 'real' : settings().simulatedUrl !== undefined ? 'simulated' : 'none'),
  lineRedactor: openLineRedactor,
  priceLine: async (line, options) => priceLine(parseLine(line), await prices(), { nowMs: Date.now(), ...options }),
  importPrices: async (options) => importPriceFile({ ...options, nowMs: Date.now() }),
  explainErrorLine: async (line) => JSON.stringify(explainErrorLine(parseLine(line), Date.now())),
  runWorker: () => runInForeground(workerScript, settings()),
  runServe: ({ printOpenapi }) => runInForeground(apiScript, settings(), printOpenapi ? ['--print-openapi'] : []),
  runReplay: (args) => runInForeground(replayScript, settings(), args),
  deployment: () => deploymentOf(settings()),
  runDev: (options) => runDev(settings(), options),
  encryption: () => ({ ...settings().encryption, keys: settings().encryption.kms ? 'key service' : 'key file' }),
  keyring,
  rotateKeys,
  erasurePorts,
  runRetention: runAllRetention,
  close,
};

process.exit(await runCli(process.argv.slice(2), services));

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function openRuns(): RunsDoor {
  const { api, taskQueue, oidc, token } = settings();
  if (api) return createHttpAgentClient(api);
  const local: LocalDoorPorts = {
    identity: services.identity,
    connect: async (timeoutMs) => (await services.connect(timeoutMs)).client,
    openStore: store,
    signer: services.signer,
    project: services.project,
    catalogue: services.catalogue,
    redaction,
    keyring,
    scrub: services.scrub,
    storeName: () => `the store at ${describeStore(settings())}`,
    taskQueue: () => taskQueue,
    switchedOffSearchAttributes: services.switchedOffSearchAttributes,
    tenantWeights: () => settings().tenantWeights,
    subjectHash: async (tenant, subject) => personHashes(await (await keyring()).keyedHash(tenant), subject).subject,
  };
  return oidc ? decidingAsPerson({ local, store, verifier: createTokenVerifier(oidc), token }) : createLocalDoor(local);
}

/** Whoever works at this machine. Where an issuer knows people, nobody here decides by saying who they are. */
function identityHere(): Identity {
  return settings().oidc ? { name: 'operator', roles: [] } : (settings().as ?? { name: 'developer', roles: ['*'] });
}

async function redaction() {
  return redactionOf(settings(), (await services.project()).spec, await keyring());
}

function store(): Promise<Store> {
  openedStore ??= openStore(settings());
  return openedStore;
}

/** Opens what is sealed in Temporal's history; the store and its keys are opened at the first such payload. */
function codec(): PayloadCodec {
  return new PayloadCodec(keyring, { seals: () => settings().encryption.history });
}

/** Names of MCP servers are checked against the project that carries the task out, where that is this one. */
async function readFolder(folder: string) {
  if (settings().api) return await readTaskFolder(folder);
  return await readTaskFolder(folder, { mcpServers: Object.keys((await services.project()).spec.mcpServers ?? {}) });
}

/** The project's MCP servers for the time of `use`, by the same rules as in a worker. */
async function withMcpServers<T>({ temporal, insecure, secret }: Settings, use: (servers: McpServers) => Promise<T>): Promise<T> {
  const { spec, configPath } = await services.project();
  const allowLoopback = isLoopbackAddress(temporal.address) || insecure;
  const servers = new McpServers({ servers: spec.mcpServers ?? {}, folder: dirname(configPath), secret, allowLoopback, log: () => undefined });
  try {
    return await use(servers);
  } finally {
    await servers.close();
  }
}

/** The prices that runs book with: those of the project before the list's. */
async function priceSource(): Promise<PriceSource> {
  const { spec } = await services.project();
  return createPriceSource({ ...(spec.models ? { stated: spec.models } : {}), file: spec.prices });
}

/** Loaded here, because no other command of the CLI needs the detectors. */
async function openLineRedactor(options: RedactLineOptions): Promise<(line: string) => string> {
  const { lineRedactor } = await import('../../adapters/redaction/redact-line.ts');
  const redact = lineRedactor((await services.project()).spec.redaction ?? {}, options);
  return (line) => JSON.stringify(redact(parseLine(line)));
}

/** What is no JSON stays a text, which then is no line of the right shape. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return line;
  }
}

function deploymentOf({ deployment }: Settings): string {
  if (deployment !== undefined) return deployment;
  throw new TollgateError(
    'invalidInput',
    'TOLLGATE_DEPLOYMENT is not set, so workers have no versions and a run goes on with whatever worker there is. docs/operating.md says when to set it.',
  );
}

/** A process of ours in the foreground: its output is ours, and so are the signals it gets. It ends when we do, because its channel closes. */
async function runInForeground(script: string, { temporal }: Settings, args: readonly string[] = []): Promise<number> {
  const env = childEnvironment({ TEMPORAL_ADDRESS: temporal.address });
  const child = spawn(process.execPath, [...process.execArgv, ...NODE_OPTIONS, script, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGTERM', forward);
  // Ctrl-C at a terminal reaches it by itself, and twice would end it at once.
  process.on('SIGINT', process.stdin.isTTY ? () => undefined : forward);
  return await new Promise((resolve) => {
    child.on('error', () => resolve(2));
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 2) : 0));
  });
}

async function runDev(current: Settings, { sample, scenarios }: { readonly sample: boolean; readonly scenarios: readonly string[] }): Promise<number> {
  const stopped = new Promise<void>((resolve) => {
    // They stay handled: a second Ctrl-C must not end us before our children have stopped.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  await migrateForDevelopment(current);
  await runDevSession(
    {
      ...devProcesses(current, process.cwd(), scenarios),
      openSample: (places) => openSample(current, places),
      print: terminal.print,
      note: terminal.note,
      stopped,
    },
    { sample },
  );
  return 0;
}

/** A SQLite store is brought up by whoever opens it. */
async function migrateForDevelopment(current: Settings): Promise<void> {
  if (current.databaseUrl === undefined) return;
  const { from, to } = await migrateStore(current);
  terminal.note(`The store is ${describeStore(current)}, schema version ${from === to ? to : `${from} → ${to}`}.`);
}

async function openSample(current: Settings, places: DevPlaces) {
  const { spec } = await services.project();
  const task = spec.tasks.find(({ name }) => name === SAMPLE_TASK);
  if (!task)
    throw new TollgateError(
      'unknownTask',
      `The sample run needs the task "${SAMPLE_TASK}", which this project does not have. Use "tollgate dev" without --sample.`,
    );
  const { client } = await connections.get({ ...addressOf(current), address: places.temporalAddress });
  const agent = createAgentClient({
    client,
    store: await store(),
    identity: services.identity(),
    redaction,
    switchedOffSearchAttributes: current.searchAttributesOff,
  });
  return { agent, store: await store(), task };
}

async function rotateKeys(tenant: string | null) {
  const keys = await keyring();
  if (tenant !== null) return { ...(await keys.rotate(tenant)), rewrapped: 0 };
  const { keyId } = await openWrapper(settings()).rotate();
  return { keyId, rewrapped: await keys.rewrap() };
}

async function erasurePorts(): Promise<ErasurePorts> {
  const { spec } = await services.project();
  const catalogue = services.catalogue(spec);
  const retentionMs = async () => {
    const connected = await services.connect(RETENTION_TIMEOUT_MS).catch(() => null);
    return connected ? await namespaceRetentionMs(connected).catch(() => null) : null;
  };
  return { store: await store(), keyring: await keyring(), actor: services.identity().name, endpoint: (name) => catalogue.endpoint(name), retentionMs };
}

async function runAllRetention() {
  const removed = { transcripts: 0, journals: 0, vault: 0, audit: 0 };
  for (;;) {
    const pass = await applyRetention({ store: await store(), keyring: await keyring() }, settings().retention, RETENTION_PASS);
    for (const dataClass of DATA_CLASSES) removed[dataClass] += pass.removed[dataClass];
    if (!pass.isMore) return removed;
  }
}

async function close(): Promise<void> {
  await connections.close();
  if (openedStore) await (await openedStore).close();
}
