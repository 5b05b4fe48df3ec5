import { readFile } from 'node:fs/promises';
import type { ActivityPorts } from '../activities/ports.ts';
import { firstOf, openVerifyingKeys, unverifiedOnly } from '../adapters/keys/decision-keys.ts';
import { openLocalKey } from '../adapters/keys/local-key.ts';
import { openKeyring } from '../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../adapters/keys/payload-codec.ts';
import { createPriceSource } from '../adapters/prices/genai-prices.ts';
import { createModelCatalogue } from '../adapters/providers/model-catalogue.ts';
import { openEngine } from '../adapters/redaction/engine.ts';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Project } from '../adapters/tasks/project.ts';
import { McpServers } from '../adapters/tools/mcp/servers.ts';
import { TraceExporter } from '../adapters/sinks/exporter.ts';
import { openSinks } from '../adapters/sinks/open-sinks.ts';
import { createToolRuntimes } from '../adapters/tools/tool-runtimes.ts';
import { isLoopbackAddress } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import { applyRetention } from '../domain/erasure/retention.ts';
import type { Store } from '../domain/store/port.ts';
import type { WorkerOptions } from './start-worker.ts';

const RUNS_PER_RETENTION = 20;
const RETENTION_INTERVAL_MS = 60_000;
/** Rows kept for a sink that is down. */
const MAX_PENDING_SPANS = 100_000;

/** The ports of the activities, as the settings and the project say. @throws TollgateError `invalidInput`. */
export async function wirePorts(
  settings: Settings,
  { registry, spec }: Pick<Project, 'registry' | 'spec'>,
  store: Store,
  mcpServers: McpServers,
): Promise<ActivityPorts> {
  const { openai, simulatedUrl, secret } = settings;
  const catalogue = createModelCatalogue({
    openai,
    ...(simulatedUrl === undefined ? {} : { simulatedUrl }),
    ...(spec.models === undefined ? {} : { models: spec.models }),
    ...(spec.endpoints === undefined ? {} : { endpoints: spec.endpoints }),
    secret,
    prices: createPriceSource({ file: spec.prices }),
  });
  const isLocal = isOnThisMachine(settings);
  const redaction = { ...openEngine(spec.redaction ?? {}, settings.presidio), keyring: openKeyring(settings, store) };
  return {
    store,
    catalogue,
    registry,
    runtimeOf: createToolRuntimes({ registry, store, mcpServers, allowLoopback: isLocal, secret }),
    redaction,
    repairRoles: settings.repairRoles,
    ...(await decisionPorts(settings)),
  };
}

/**
 * What tells a decision that counts from one that does not. With public keys of its own a worker can verify and sign nothing
 * that a person decided; the development key does both, and counts only while Temporal is on this machine.
 * @throws TollgateError `invalidInput`.
 */
export async function decisionPorts(settings: Settings): Promise<Pick<ActivityPorts, 'verifier' | 'unsignedSigner' | 'requesterMayDecideByDefault'>> {
  const { decisionKeys, allowUnsigned, home } = settings;
  if (decisionKeys.verifying !== undefined) {
    const verifier = openVerifyingKeys(decisionKeys.verifying);
    if (!allowUnsigned) return { verifier, unsignedSigner: null, requesterMayDecideByDefault: false };
    const own = await openLocalKey(home);
    return { verifier: firstOf([verifier, unverifiedOnly(own.verifier)]), unsignedSigner: own.signer, requesterMayDecideByDefault: false };
  }
  if (decisionKeys.signing !== undefined)
    throw new TollgateError(
      'invalidInput',
      'TOLLGATE_DECISION_KEY is set and TOLLGATE_DECISION_PUBLIC_KEYS is not: a worker verifies decisions with public keys. Give it those, and the private key to the API alone.',
    );
  if (!isOnThisMachine(settings))
    throw new TollgateError(
      'invalidInput',
      `TEMPORAL_ADDRESS is ${settings.temporal.address}, and decisions are signed with the local development key, which counts only while Temporal is on this machine. Make keys for production (npx tollgate keys pair) and set TOLLGATE_DECISION_PUBLIC_KEYS, or TOLLGATE_INSECURE=1 to accept the risk.`,
    );
  const { signer, verifier } = await openLocalKey(home);
  return { verifier, unsignedSigner: allowUnsigned ? signer : null, requesterMayDecideByDefault: true };
}

/** Opens and seals payloads with the store's keys. */
export function payloadCodec(settings: Settings, store: Store): PayloadCodec {
  const keyring = openKeyring(settings, store);
  return new PayloadCodec(async () => keyring, { seals: () => settings.encryption.history });
}

/** Bounded work at each call, and a look at the store at most once a minute where there is nothing to do. */
export function retainer({ retention, ...settings }: Settings, store: Store, logger: Logger): () => Promise<void> {
  const keyring = openKeyring(settings, store);
  let nextMs = 0;
  return async () => {
    if (Object.keys(retention).length === 0 || Date.now() < nextMs) return;
    const { removed, isMore } = await applyRetention({ store, keyring }, retention, RUNS_PER_RETENTION);
    nextMs = Date.now() + (isMore ? 0 : RETENTION_INTERVAL_MS);
    if (Object.values(removed).some((count) => count > 0)) logger.info({ removed }, 'removed what is older than the settings keep it, by class of data');
  };
}

/** What exports spans of this store's journals. It never throws once it runs, and no run waits for it. @throws TollgateError `invalidInput`. */
export function traceExporter({ traces, secret }: Settings, { spec }: Pick<Project, 'spec'>, store: Store, logger: Logger): TraceExporter {
  return new TraceExporter({
    store,
    sinks: openSinks(traces, spec.traceSinks ?? {}, secret),
    timeoutMs: traces.timeoutMs,
    maxPending: MAX_PENDING_SPANS,
    log: (details, message) => logger.warn(details, message),
  });
}

/** The MCP servers of the project; relative paths begin at its configuration. Whoever asks for them closes them. */
export function mcpServersOf(settings: Settings, { spec, configPath }: Pick<Project, 'spec'> & { readonly configPath?: string }, logger: Logger): McpServers {
  return new McpServers({
    servers: spec.mcpServers ?? {},
    folder: configPath === undefined ? process.cwd() : dirname(configPath),
    secret: settings.secret,
    allowLoopback: isOnThisMachine(settings),
    log: (server, line) => logger.info({ server, line }, 'an MCP server wrote'),
  });
}

function isOnThisMachine({ temporal, insecure }: Settings): boolean {
  return isLoopbackAddress(temporal.address) || insecure;
}

/** Where Temporal is and how it is reached, with the certificates read. */
export async function temporalTarget({ temporal }: Settings): Promise<WorkerOptions['temporal']> {
  const { address, namespace, apiKey, tls } = temporal;
  return { address, namespace, ...(apiKey === undefined ? {} : { apiKey }), ...(tls === undefined ? {} : { tls: await readTls(tls) }) };
}

async function readTls(tls: NonNullable<Settings['temporal']['tls']>) {
  const [crt, key, ca] = await Promise.all([readFile(tls.certPath), readFile(tls.keyPath), tls.caPath === undefined ? undefined : readFile(tls.caPath)]);
  return { clientCertPair: { crt, key }, ...(ca === undefined ? {} : { serverRootCACertificate: ca }) };
}
