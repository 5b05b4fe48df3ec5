import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openLocalKey } from '../adapters/keys/local-key.ts';
import { createPriceSource } from '../adapters/prices/genai-prices.ts';
import { createModelCatalogue } from '../adapters/providers/model-catalogue.ts';
import { openSqliteStore } from '../adapters/stores/sqlite/sqlite-store.ts';
import { loadProject } from '../adapters/tasks/project.ts';
import { McpServers } from '../adapters/tools/mcp/servers.ts';
import { createToolRuntimes } from '../adapters/tools/tool-runtimes.ts';
import { isLoopbackAddress, loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import type { Logger } from 'pino';
import { TollgateError } from '../contracts/failures.ts';
import type { Store } from '../domain/store/port.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { ActivityPorts } from '../activities/ports.ts';
import { startWorker } from './start-worker.ts';

/** A worker that cannot stop in good order within this time is ended. */
const STOP_DEADLINE_MS = 20_000;

async function main(): Promise<void> {
  const settings = loadSettings();
  const logger = createLogger({ level: settings.logLevel, name: 'worker' });
  const store = await openSqliteStore({
    path: join(settings.home, 'tollgate.db'),
    ...(settings.storeMaxPages === undefined ? {} : { maxPages: settings.storeMaxPages }),
  });
  const { ports, mcpServers } = await wirePorts(settings, store, logger);
  const { address, namespace, apiKey, tls } = settings.temporal;
  const worker = await startWorker({
    temporal: { address, namespace, ...(apiKey === undefined ? {} : { apiKey }), ...(tls === undefined ? {} : { tls: await readTls(tls) }) },
    taskQueue: settings.taskQueue,
    home: settings.home,
    searchAttributesOff: settings.searchAttributesOff,
    ports,
    logger,
  });
  const stop = () => {
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    worker.stop();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  logger.info({ address, namespace, taskQueue: settings.taskQueue, home: settings.home }, 'worker ready');
  process.send?.({ type: 'ready' });
  await worker.stopped;
  await mcpServers.close();
  await store.close();
}

async function wirePorts(settings: Settings, store: Store, logger: Logger): Promise<{ readonly ports: ActivityPorts; readonly mcpServers: McpServers }> {
  const { registry, spec, configPath } = await loadProject(settings.configPath, process.cwd());
  const { openai, simulatedUrl, secret } = settings;
  const catalogue = createModelCatalogue({
    openai,
    ...(simulatedUrl === undefined ? {} : { simulatedUrl }),
    ...(spec.models === undefined ? {} : { models: spec.models }),
    ...(spec.endpoints === undefined ? {} : { endpoints: spec.endpoints }),
    secret,
    prices: createPriceSource(),
  });
  const isLocal = isLoopbackAddress(settings.temporal.address) || settings.insecure;
  if (!isLocal)
    throw new TollgateError(
      'invalidInput',
      `TEMPORAL_ADDRESS is ${settings.temporal.address}: decisions are signed with the local development key, which counts only while Temporal is on this machine. Set TOLLGATE_INSECURE=1 to accept the risk.`,
    );
  const { signer, verifier } = await openLocalKey(settings.home);
  const mcpServers = new McpServers({
    servers: spec.mcpServers ?? {},
    folder: dirname(configPath),
    secret,
    allowLoopback: isLocal,
    log: (server, line) => logger.info({ server, line }, 'an MCP server wrote'),
  });
  const ports = {
    store,
    catalogue,
    registry,
    runtimeOf: createToolRuntimes({ registry, store, mcpServers, allowLoopback: isLocal, secret }),
    verifier,
    unsignedSigner: settings.allowUnsigned ? signer : null,
    requesterMayDecideByDefault: true,
  };
  return { ports, mcpServers };
}

async function readTls(tls: NonNullable<Settings['temporal']['tls']>) {
  const [crt, key, ca] = await Promise.all([readFile(tls.certPath), readFile(tls.keyPath), tls.caPath === undefined ? undefined : readFile(tls.caPath)]);
  return { clientCertPair: { crt, key }, ...(ca === undefined ? {} : { serverRootCACertificate: ca }) };
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof TollgateError;
    process.stderr.write(`error: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(known ? 2 : 1);
  },
);
