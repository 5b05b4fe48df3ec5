import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { TollgateError } from '../contracts/failures.ts';
import { type IdentitySettings, identityOf } from './identity.ts';
import { environmentSchema, isLoopbackAddress, type Settings } from './schema.ts';

export { isLoopbackAddress } from './schema.ts';

const DEFAULT_TEMPORAL_ADDRESS = '127.0.0.1:7233';
/** Below the time after which another worker takes an export over. */
const MAX_EXPORT_TIMEOUT_MS = 30_000;
const SECRET = /KEY|TOKEN|SECRET|PASSWORD|DATABASE_URL|HEADERS/;

/**
 * Reads the settings from the environment. Where TEMPORAL_ADDRESS is unset, a running `tollgate dev` in the same data
 * folder says where Temporal and the simulated provider are.
 * @throws TollgateError `invalidInput` that lists every variable in error at once; secret values are not shown.
 */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) throw new TollgateError('invalidInput', describe(parsed.error, given));
  return toSettings(parsed.data, env);
}

function describe(error: z.ZodError, given: Record<string, string | undefined>): string {
  const lines = error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const seen = SECRET.test(name) ? '(not shown)' : JSON.stringify(given[name]);
    return `  ${name} is ${seen}: ${issue.message}`;
  });
  return `The environment has ${lines.length === 1 ? 'a mistake' : `${lines.length} mistakes`}. Correct or unset:\n${lines.join('\n')}`;
}

function toSettings(variables: z.output<typeof environmentSchema>, env: NodeJS.ProcessEnv): Settings {
  const dev = readDevState(variables.TOLLGATE_HOME);
  const address = variables.TEMPORAL_ADDRESS ?? dev?.temporalAddress ?? DEFAULT_TEMPORAL_ADDRESS;
  const simulatedUrl = variables.TOLLGATE_SIMULATED_URL ?? (variables.OPENAI_API_KEY ? undefined : dev?.simulatedUrl);
  const { TEMPORAL_TLS_CERT: certPath, TEMPORAL_TLS_KEY: keyPath, TEMPORAL_TLS_CA: caPath } = variables;
  if ((certPath === undefined) !== (keyPath === undefined))
    throw new TollgateError('invalidInput', 'TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together: set both or neither.');
  const tls = certPath && keyPath ? { certPath, keyPath, ...optional('caPath', caPath) } : undefined;
  if (variables.TOLLGATE_BUILD_ID !== undefined && variables.TOLLGATE_DEPLOYMENT === undefined)
    throw new TollgateError(
      'invalidInput',
      'TOLLGATE_BUILD_ID names a version of the deployment TOLLGATE_DEPLOYMENT, which is not set: set both, or unset it.',
    );
  const api = variables.TOLLGATE_URL === undefined ? undefined : { url: variables.TOLLGATE_URL, ...optional('token', variables.TOLLGATE_TOKEN) };
  const identity = identityOf(variables);
  if (identity.oidc && variables.TOLLGATE_AS !== undefined)
    throw new TollgateError('invalidInput', 'TOLLGATE_AS plays a person, and TOLLGATE_OIDC_ISSUER says who people are: unset one of them.');
  const [name, roles] = variables.TOLLGATE_AS?.split(':') ?? [];
  return {
    home: variables.TOLLGATE_HOME,
    temporal: {
      address,
      namespace: variables.TEMPORAL_NAMESPACE,
      ...optional('apiKey', variables.TEMPORAL_API_KEY),
      ...optional('tls', tls),
      isExternal: variables.TEMPORAL_ADDRESS !== undefined,
    },
    taskQueue: variables.TOLLGATE_TASK_QUEUE,
    ...optional('temporalUiUrl', variables.TOLLGATE_TEMPORAL_UI_URL),
    ...optional('traceUrl', variables.TOLLGATE_TRACE_URL),
    tenantWeights: variables.TOLLGATE_TENANT_WEIGHTS,
    ...optional('deployment', variables.TOLLGATE_DEPLOYMENT),
    ...optional('buildId', variables.TOLLGATE_BUILD_ID),
    ...optional('healthFile', variables.TOLLGATE_HEALTH_FILE),
    ...optional('temporalCliPath', variables.TEMPORAL_CLI_PATH),
    userCache: userCache(variables.XDG_CACHE_HOME),
    openai: { ...optional('apiKey', variables.OPENAI_API_KEY), ...optional('baseUrl', variables.OPENAI_BASE_URL) },
    ...optional('simulatedUrl', simulatedUrl),
    ...optional('databaseUrl', variables.DATABASE_URL),
    ...optional('databaseConnections', variables.TOLLGATE_DATABASE_CONNECTIONS),
    ...optional('configPath', variables.TOLLGATE_CONFIG),
    encryption: encryptionOf(variables),
    retention: {
      ...optional('transcripts', variables.TOLLGATE_RETAIN_TRANSCRIPTS),
      ...optional('journals', variables.TOLLGATE_RETAIN_JOURNALS),
      ...optional('vault', variables.TOLLGATE_RETAIN_VAULT),
      ...optional('audit', variables.TOLLGATE_RETAIN_AUDIT),
    },
    insecure: variables.TOLLGATE_INSECURE,
    ...identity,
    allowUnsigned: allowsUnsigned(variables, identity, address),
    repairRoles: { operator: variables.TOLLGATE_OPERATOR_ROLE, raiseBudget: variables.TOLLGATE_RAISE_BUDGET_ROLE },
    ...optional('as', name && roles ? { name, roles: roles.split(',') } : undefined),
    ...optional('api', api),
    ...optional('token', variables.TOLLGATE_TOKEN),
    listen: { address: variables.TOLLGATE_LISTEN, isConfigured: Boolean(env.TOLLGATE_LISTEN) },
    ...optional('localDeveloper', variables.TOLLGATE_LOCAL_DEVELOPER),
    callStacks: variables.TOLLGATE_CALL_STACKS,
    reconcileEveryMinutes: variables.TOLLGATE_RECONCILE_MINUTES,
    logLevel: variables.TOLLGATE_LOG_LEVEL,
    metrics: {
      ...optional('worker', variables.TOLLGATE_METRICS_LISTEN),
      ...optional('api', variables.TOLLGATE_API_METRICS_LISTEN),
      ...optional('temporal', variables.TOLLGATE_TEMPORAL_METRICS_LISTEN),
      ...optional('otlpUrl', variables.TOLLGATE_OTLP_METRICS_URL),
    },
    ...optional('presidio', presidioOf(variables)),
    ...optional('storeMaxPages', variables.TOLLGATE_STORE_MAX_PAGES),
    ...optional('traceparent', variables.TRACEPARENT),
    traces: tracesOf(variables),
    searchAttributesOff: variables.TOLLGATE_SEARCH_ATTRIBUTES_OFF,
    secret: (variable) => env[variable] || undefined,
  };
}

/** As OpenTelemetry's specification reads these variables: what is said for traces counts before what is said for all. */
function tracesOf(variables: z.output<typeof environmentSchema>): Settings['traces'] {
  const base = variables.OTEL_EXPORTER_OTLP_ENDPOINT;
  const url = variables.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base === undefined ? undefined : `${base}/v1/traces`);
  const headers = { ...variables.OTEL_EXPORTER_OTLP_HEADERS, ...variables.OTEL_EXPORTER_OTLP_TRACES_HEADERS };
  return {
    ...optional('otlp', url === undefined || variables.OTEL_TRACES_EXPORTER === 'none' ? undefined : { url, headers }),
    timeoutMs: Math.min(MAX_EXPORT_TIMEOUT_MS, variables.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT ?? variables.OTEL_EXPORTER_OTLP_TIMEOUT),
    compression: variables.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION ?? variables.OTEL_EXPORTER_OTLP_COMPRESSION,
    vendors: variables.TOLLGATE_TRACE_SINKS,
    withContent: variables.TOLLGATE_TRACE_CONTENT,
    resource: { ...variables.OTEL_RESOURCE_ATTRIBUTES, ...optional('service.name', variables.OTEL_SERVICE_NAME) },
    isOff: variables.OTEL_SDK_DISABLED === 'true',
  };
}

/** Nobody verifies who sends a bare signal: unless it is allowed, it counts only in development. */
function allowsUnsigned({ TOLLGATE_UNSIGNED_SIGNALS: said }: z.output<typeof environmentSchema>, { oidc, decisionKeys }: IdentitySettings, address: string) {
  if (said !== undefined) return said === 'allow';
  return isLoopbackAddress(address) && oidc === undefined && decisionKeys.verifying === undefined;
}

function presidioOf(variables: z.output<typeof environmentSchema>): Settings['presidio'] {
  const { TOLLGATE_PRESIDIO_URL: url, TOLLGATE_PRESIDIO_LANGUAGE: language, TOLLGATE_PRESIDIO_ENTITIES: entities } = variables;
  return url === undefined ? undefined : { url, language, entities, timeoutMs: variables.TOLLGATE_PRESIDIO_TIMEOUT_MS };
}

/** Several machines on one Postgres must share the key file, which nobody may be taken by surprise by. */
function encryptionOf(variables: z.output<typeof environmentSchema>): Settings['encryption'] {
  const { TOLLGATE_KMS_URL: url, TOLLGATE_KMS_TOKEN: token } = variables;
  return {
    store: variables.TOLLGATE_ENCRYPT_STORE ?? (variables.DATABASE_URL === undefined || url !== undefined),
    history: variables.TOLLGATE_ENCRYPT_HISTORY,
    ...optional('kms', url === undefined ? undefined : { url, ...optional('token', token) }),
    codecOrigin: variables.TOLLGATE_CODEC_ORIGIN,
  };
}

/** The XDG specification says to ignore a relative path. */
function userCache(configured: string | undefined): string {
  if (configured !== undefined && isAbsolute(configured)) return configured;
  switch (process.platform) {
    case 'win32':
      return join(homedir(), 'AppData', 'Local');
    case 'darwin':
      return join(homedir(), 'Library', 'Caches');
    default:
      return join(homedir(), '.cache');
  }
}

/** The environment for a process of ours: this one's, with `changes` applied; undefined unsets. */
export function childEnvironment(changes: Readonly<Record<string, string | undefined>>, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries({ ...env, ...changes }).filter(([, value]) => value !== undefined));
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: T };
}

const devStateSchema = z.object({ pid: z.int().positive(), temporalAddress: z.string().optional(), simulatedUrl: z.string().optional() });

/** What a running `tollgate dev` left in the data folder; null where none runs there. */
function readDevState(home: string): z.infer<typeof devStateSchema> | null {
  try {
    const state = devStateSchema.parse(JSON.parse(readFileSync(join(home, 'dev.json'), 'utf8')));
    process.kill(state.pid, 0);
    return state;
  } catch {
    return null;
  }
}
