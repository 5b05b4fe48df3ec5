import { openLocalKey } from '../adapters/keys/local-key.ts';
import { createPriceSource } from '../adapters/prices/genai-prices.ts';
import { createModelCatalogue } from '../adapters/providers/model-catalogue.ts';
import { describeStore, openStore } from '../adapters/stores/open-store.ts';
import { loadProject } from '../adapters/tasks/project.ts';
import { createToolRuntimes } from '../adapters/tools/tool-runtimes.ts';
import { isLoopbackAddress, loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { Store } from '../domain/store/port.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { ActivityPorts } from '../activities/ports.ts';
import { startWorker } from './start-worker.ts';
import { temporalOptions } from './temporal-options.ts';

/** A worker that cannot stop in good order within this time is ended. */
const STOP_DEADLINE_MS = 20_000;

async function main(): Promise<void> {
  const settings = loadSettings();
  const logger = createLogger({ level: settings.logLevel, name: 'worker' });
  const store = await openStore(settings);
  const ports = await wirePorts(settings, store);
  const { address, namespace } = settings.temporal;
  const worker = await startWorker({
    temporal: await temporalOptions(settings.temporal),
    taskQueue: settings.taskQueue,
    home: settings.home,
    versioning: settings,
    ...(settings.healthFile === undefined ? {} : { healthFile: settings.healthFile }),
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
  logger.info({ address, namespace, taskQueue: settings.taskQueue, home: settings.home, store: describeStore(settings) }, 'worker ready');
  process.send?.({ type: 'ready' });
  await worker.stopped;
  await store.close();
}

async function wirePorts(settings: Settings, store: Store): Promise<ActivityPorts> {
  const { registry, spec } = await loadProject(settings.configPath, process.cwd());
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
  return {
    store,
    catalogue,
    registry,
    runtimeOf: createToolRuntimes({ registry, store, allowLoopback: isLocal, secret }),
    verifier,
    unsignedSigner: settings.allowUnsigned ? signer : null,
    requesterMayDecideByDefault: true,
  };
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof TollgateError;
    process.stderr.write(`error: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(known ? 2 : 1);
  },
);
