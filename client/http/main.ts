import { basename } from 'node:path';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { createLoginFlow } from '../../adapters/identity/login-flow.ts';
import { createTokenVerifier } from '../../adapters/identity/token-verifier.ts';
import { localSessionKey } from '../../adapters/keys/local-key.ts';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../../adapters/keys/payload-codec.ts';
import { openMetrics } from '../../adapters/stores/metered/open-metrics.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import { loadProject } from '../../adapters/tasks/project.ts';
import { isLoopbackAddress, loadSettings } from '../../config/load.ts';
import type { OidcSettings } from '../../config/identity-schema.ts';
import type { Settings } from '../../config/schema.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { DecisionSigner } from '../../domain/approval/key-port.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import type { Keyring } from '../../domain/encryption/port.ts';
import { personHashes } from '../../domain/erasure/person.ts';
import type { Store } from '../../domain/store/port.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { Identity } from '../decision.ts';
import { createLocalDoor, type LocalDoorPorts } from '../local-door.ts';
import { addressOf, catalogueOf, openSigner, redactionOf } from '../main.ts';
import { TemporalConnections } from '../temporal-connection.ts';
import { createHttpApi, type HttpApiOptions, type People, urlOf } from './app.ts';
import { openapiText } from './openapi.ts';

/** An API that cannot stop in good order within this time is ended. */
const STOP_DEADLINE_MS = 5_000;
const PING_TIMEOUT_MS = 2_000;
const MAX_KEYS = 1_000;

async function serve(): Promise<void> {
  const settings = loadSettings();
  const scrubber = createScrubber(openEngine({}));
  const logger = createLogger({ level: settings.logLevel, name: 'api', scrub: scrubber.json });
  const metrics = await openMetrics({ service: 'tollgate-api', listen: settings.metrics.api, otlpUrl: settings.metrics.otlpUrl, logger });
  const store = await openStore(settings, metrics.watch);
  await demandKeysBeyondLoopback(settings, store);
  const keyring = openKeyring(settings, store);
  const codec = new PayloadCodec(async () => keyring, { seals: () => settings.encryption.history });
  const connections = new TemporalConnections(codec);
  const ports = { ...(await doorPorts(settings, store, keyring, connections)), scrub: scrubber.text };
  const app = await createHttpApi({
    store,
    doorOf: (identity) => createLocalDoor({ ...ports, identity: () => identity }),
    isTemporalUp: () => isTemporalUp(settings, connections),
    developer: developerOf(settings),
    developerBesideKeys: settings.localDeveloper === true,
    ...(settings.temporalUiUrl === undefined ? {} : { temporalUi: { url: settings.temporalUiUrl, namespace: settings.temporal.namespace } }),
    ...(settings.traceUrl === undefined ? {} : { traceUrl: settings.traceUrl }),
    ...(settings.oidc ? { people: peopleOf(settings, settings.oidc) } : {}),
    rates: settings.rates,
    trustedProxies: settings.trustedProxies,
    codec: { codec, origin: settings.encryption.codecOrigin },
    logger,
    scrub: scrubber.text,
  });
  await listen(app, settings);
  const url = urlOf(app);
  logger.info({ url }, 'API ready');
  process.send?.({ type: 'ready', url });
  await told();
  setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
  await app.close();
  await metrics.close();
  await Promise.allSettled([connections.close(), store.close()]);
}

/** People as the issuer vouches for them. @throws TollgateError `invalidInput`. */
function peopleOf({ home, listen, publicUrl, session }: Settings, { client, ...oidc }: OidcSettings): People {
  if (client && publicUrl === undefined && !isLoopbackAddress(listen.address))
    throw new TollgateError(
      'invalidInput',
      `TOLLGATE_LISTEN is ${listen.address}, and TOLLGATE_OIDC_CLIENT_ID lets people log in by browser: set TOLLGATE_PUBLIC_URL to where their browsers reach this API, such as https://tollgate.example.com.`,
    );
  return {
    tokens: createTokenVerifier(oidc),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(client
      ? { login: { flow: createLoginFlow({ ...oidc, client }), sessionKeys: session.keys ?? [localSessionKey(home)], lifetimeMs: session.lifetimeMs } }
      : {}),
  };
}

/** Nobody could prove to be anybody there. @throws TollgateError `invalidInput`. */
async function demandKeysBeyondLoopback({ listen, oidc }: Settings, store: Store): Promise<void> {
  if (oidc || isLoopbackAddress(listen.address) || (await store.listApiKeys(MAX_KEYS)).some(({ revokedAtMs }) => revokedAtMs === null)) return;
  throw new TollgateError(
    'invalidInput',
    `TOLLGATE_LISTEN is ${listen.address}, which others can reach, and there is no API key that they could prove themselves with. Make one first (npx tollgate keys create <name> --scopes start,read,decide), name an issuer that knows people (TOLLGATE_OIDC_ISSUER), or listen on this machine alone (127.0.0.1:7480).`,
  );
}

async function doorPorts(
  settings: Settings,
  store: Store,
  keyring: Keyring,
  connections: TemporalConnections,
): Promise<Omit<LocalDoorPorts, 'identity' | 'scrub'>> {
  const project = await loadProject(settings.configPath, process.cwd());
  const redaction = redactionOf(settings, project.spec, keyring);
  let signer: Promise<DecisionSigner> | null = null;
  return {
    connect: async (timeoutMs) => (await connections.get(addressOf(settings), timeoutMs)).client,
    openStore: async () => store,
    signer: () => {
      signer ??= openSigner(settings, settings.listen.address).catch((error: unknown) => {
        throw error instanceof TollgateError ? new TollgateError('forbidden', `This API signs no decisions. ${error.message}`, { cause: error }) : error;
      });
      return signer;
    },
    // Callers need not know where on this machine the project lies.
    project: async () => ({ ...project, configPath: basename(project.configPath) }),
    catalogue: (spec) => catalogueOf(settings, spec),
    redaction: async () => redaction,
    keyring: async () => keyring,
    storeName: () => 'the store',
    taskQueue: () => settings.taskQueue,
    switchedOffSearchAttributes: () => settings.searchAttributesOff,
    tenantWeights: () => settings.tenantWeights,
    subjectHash: async (tenant, subject) => personHashes(await keyring.keyedHash(tenant), subject).subject,
  };
}

/** Nobody is taken for the developer where an issuer knows people, where that is switched off, or where the local key counts for nothing. */
function developerOf({ localDeveloper, as, temporal, insecure, oidc }: Settings): Identity | null {
  if (oidc || localDeveloper === false || !(isLoopbackAddress(temporal.address) || insecure)) return null;
  return as ?? { name: 'developer', roles: ['*'] };
}

async function isTemporalUp(settings: Settings, connections: TemporalConnections): Promise<boolean> {
  const { connection } = await connections.get(addressOf(settings), PING_TIMEOUT_MS);
  await connection.withDeadline(Date.now() + PING_TIMEOUT_MS, () => connection.workflowService.getSystemInfo({}));
  return true;
}

async function listen(app: Awaited<ReturnType<typeof createHttpApi>>, { listen: { address } }: Settings): Promise<void> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  try {
    await app.listen({ host: host.replace(/^\[|\]$/g, ''), port: Number(port) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new TollgateError(
      'invalidInput',
      `The API can't listen at ${address} (${code ?? message}). Set TOLLGATE_LISTEN to an address that is free, such as 127.0.0.1:7481.`,
      {
        cause: error,
      },
    );
  }
}

/** Resolves when the system, or the process that started us, wants us to stop. */
function told(): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(event, () => resolve());
  });
}

async function printOpenapi(): Promise<void> {
  const nothing = (): never => {
    throw new TollgateError('invariantBroken', 'Nothing is served while the OpenAPI document is printed.');
  };
  const app = await createHttpApi({ doorOf: nothing, isTemporalUp: nothing, developer: null, developerBesideKeys: false } as unknown as HttpApiOptions);
  await app.ready();
  await new Promise<void>((resolve) => process.stdout.write(`${openapiText(app)}\n`, () => resolve()));
}

const work = process.argv.includes('--print-openapi') ? printOpenapi() : serve();
work.then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof TollgateError;
    process.stderr.write(`error: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(known ? 2 : 1);
  },
);
