import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { invariant } from '../../contracts/failures.ts';
import { type ReadyChild, startChild } from './child-process.ts';
import type { ApiChild, DevParts, DevPlaces, ProviderChild, TemporalChild } from './dev-session.ts';
import { ownScript } from './own-script.ts';
import { cliCache, resolveTemporalCli } from './temporal-cli.ts';
import { freePort, startTemporalServer } from './temporal-server.ts';

const WORKER_SCRIPT = ownScript('worker/main');
const API_SCRIPT = ownScript('client/http/main');
const PROVIDER_SCRIPT = ownScript('adapters/providers/simulated/main');
const SHIPPED_SCENARIOS = fileURLToPath(new URL('../../adapters/providers/simulated/scenarios', import.meta.url));
const TEMPORAL_PORT = 7233;
const TEMPORAL_UI_PORT = 8233;
const WORKER_READY_MS = 120_000;

type Processes = Pick<
  DevParts,
  'home' | 'namespace' | 'temporalAddress' | 'simulatedUrl' | 'hasKey' | 'startTemporal' | 'startProvider' | 'startWorker' | 'startApi'
>;

/**
 * The processes of a development session, each started from this clone or package, with their logs in the data folder.
 * `scenarios` are files and folders of the project that play the models, before those of the sample task.
 */
export function devProcesses(settings: Settings, cwd: string, scenarios: readonly string[]): Processes {
  const { home, temporal, openai } = settings;
  // A part that is started anew keeps its place, because the others know it by that.
  let temporalPorts: { readonly port: number; readonly uiPort: number } | null = null;
  let providerPort = 0;
  let apiAddress: string | null = null;
  let uiUrl: string | null = null;
  const placeOfApi = async () => {
    apiAddress ??= settings.listen.isConfigured ? settings.listen.address : `127.0.0.1:${await freePort(portOf(settings.listen.address))}`;
    return apiAddress;
  };
  return {
    home,
    namespace: temporal.namespace,
    temporalAddress: temporal.isExternal ? temporal.address : null,
    simulatedUrl: settings.simulatedUrl ?? null,
    hasKey: openai.apiKey !== undefined,
    async startTemporal(note): Promise<TemporalChild> {
      const { path, source } = await resolveTemporalCli({
        configuredPath: settings.temporalCliPath,
        cacheFolder: cliCache(settings.userCache),
        onProgress: note,
      });
      note(`Temporal dev server: ${path} (${source})`);
      const ports = temporalPorts ?? { port: TEMPORAL_PORT, uiPort: TEMPORAL_UI_PORT };
      const codec = settings.encryption.history ? { codecEndpoint: `http://${await placeOfApi()}/codec` } : {};
      const server = await startTemporalServer({ cliPath: path, folder: join(home, 'temporal'), namespace: temporal.namespace, ...ports, ...codec });
      uiUrl = server.uiUrl;
      temporalPorts = { port: portOf(server.address), uiPort: portOf(server.uiUrl) };
      return server;
    },
    async startProvider(): Promise<ProviderChild> {
      const files = [...scenarios, SHIPPED_SCENARIOS].flatMap((path) => ['--scenarios', path]);
      const args = ['--bill', join(home, 'simulated-bill.jsonl'), '--port', String(providerPort), ...files];
      const child = await startChild({
        name: 'simulated provider',
        script: PROVIDER_SCRIPT,
        args,
        env: childEnvironment({}),
        cwd,
        logPath: join(home, 'logs', 'simulated-provider.log'),
      });
      const { url } = child.ready;
      invariant(typeof url === 'string', 'the simulated provider says where it listens');
      providerPort = portOf(url);
      return { ...child, url };
    },
    startWorker: (places) => startWorker(settings, places, cwd),
    async startApi(places): Promise<ApiChild> {
      // The one Web UI that may have payloads opened is the one that we started.
      const origin = uiUrl === null ? {} : { TOLLGATE_CODEC_ORIGIN: uiUrl, TOLLGATE_TEMPORAL_UI_URL: uiUrl };
      const child = await startChild({
        name: 'HTTP API',
        script: API_SCRIPT,
        env: { ...environmentAt(places), TOLLGATE_LISTEN: await placeOfApi(), ...origin },
        cwd,
        logPath: join(home, 'logs', 'api.log'),
      });
      const { url } = child.ready;
      invariant(typeof url === 'string', 'the HTTP API says where it listens');
      return { ...child, url };
    },
  };
}

async function startWorker({ home }: Settings, places: DevPlaces, cwd: string): Promise<ReadyChild> {
  const env = environmentAt(places);
  return await startChild({ name: 'worker', script: WORKER_SCRIPT, env, cwd, logPath: join(home, 'logs', 'worker.log'), readyTimeoutMs: WORKER_READY_MS });
}

function environmentAt(places: DevPlaces): NodeJS.ProcessEnv {
  return childEnvironment({
    TEMPORAL_ADDRESS: places.temporalAddress,
    TEMPORAL_NAMESPACE: places.namespace,
    ...(places.simulatedUrl === null ? {} : { TOLLGATE_SIMULATED_URL: places.simulatedUrl }),
  });
}

/** The scripts that `tollgate worker` and `tollgate serve` run in the foreground. */
export const workerScript = WORKER_SCRIPT;
export const apiScript = API_SCRIPT;

/** The script behind `tollgate replay`. */
export const replayScript = ownScript('worker/replay-main');

function portOf(url: string): number {
  return Number(/:(\d+)(?:\/|$)/.exec(url)?.[1] ?? 0);
}
