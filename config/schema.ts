import { isIP } from 'node:net';
import { z } from 'zod';
import { identityVariables } from './identity-schema.ts';
import type { IdentitySettings } from './identity.ts';
import { SEARCH_ATTRIBUTES, type SearchAttributeTopic } from '../contracts/search-attributes.ts';

const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true');
const path = z.string().min(1);
const httpUrl = z.url({ protocol: /^https?$/ }).transform((value) => value.replace(/\/+$/, ''));
const traceUrl = z
  .url({ protocol: /^https?$/ })
  .refine((value) => value.includes('{traceId}'), 'expected "{traceId}" in the place of the id, such as http://127.0.0.1:16686/trace/{traceId}');
const transitKey = z.url({ protocol: /^https?$/ }).regex(/\/v1\/.+\/keys\/[^/?#]+$/, 'https://…/v1/<mount>/keys/<name>');
const address = z.string().regex(/^[^\s/:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'host:port, e.g. 127.0.0.1:7233');
const metricsAddress = z
  .string()
  .transform((value) => (/^\d{1,5}$/.test(value) ? `127.0.0.1:${value}` : value))
  .pipe(address);
/** Part of a Worker Deployment Version. Both parts stand in the history of every workflow task, so they are kept short. */
const versionPart = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'letters, digits, "-" and "_", at most 40');
/** Temporal takes weights from a thousandth to a thousand. */
const tenantWeights = z.string().transform((value, context): Readonly<Record<string, number>> => {
  const weights = value.split(',').map((entry) => /^\s*([^=]+?)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(entry));
  const pairs = weights.map((match) => [match?.[1] ?? '', Number(match?.[2] ?? 0)] as const);
  if (pairs.every(([tenant, weight]) => tenant !== '' && weight >= 0.001 && weight <= 1_000)) return Object.fromEntries(pairs);
  context.addIssue({ code: 'custom', message: 'tenant=weight, by comma, weights from 0.001 to 1000, e.g. acme=3,globex=0.5' });
  return z.NEVER;
});
const days = z
  .string()
  .regex(/^\d{1,5}d$/, 'a number of days, such as 90d')
  .transform((value) => Number(value.slice(0, -1)) * 86_400_000);
const topics = Object.keys(SEARCH_ATTRIBUTES) as SearchAttributeTopic[];

/** `name=value` by comma, values percent-encoded, as OpenTelemetry writes headers and resource attributes. */
const pairs = z.string().transform((value, context): Readonly<Record<string, string>> => {
  const read = value.split(',').flatMap((entry) => (entry.trim() === '' ? [] : [/^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(entry)]));
  if (read.every((match) => match !== null)) {
    try {
      return Object.fromEntries(read.map((match) => [match?.[1] ?? '', decodeURIComponent(match?.[2] ?? '')]));
    } catch {}
  }
  context.addIssue({ code: 'custom', message: 'name=value, by comma, values percent-encoded, e.g. authorization=Bearer%20abc' });
  return z.NEVER;
});
export const TRACE_SINKS = ['langsmith', 'weave', 'phoenix', 'braintrust', 'langfuse', 'helicone'] as const;
const traceSinks = z
  .string()
  .transform((value) => value.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(TRACE_SINKS, `one or more of ${TRACE_SINKS.join(', ')}, by comma`)));

/** Every setting, by the environment variable that holds it. An empty variable counts as unset. */
export const environmentSchema = z.object({
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: httpUrl.optional(),
  TEMPORAL_ADDRESS: address.optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS_CERT: path.optional(),
  TEMPORAL_TLS_KEY: path.optional(),
  TEMPORAL_TLS_CA: path.optional(),
  TEMPORAL_CLI_PATH: path.optional(),
  XDG_CACHE_HOME: path.optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'postgres://…')
    .optional(),
  /** The most connections of one process to Postgres. */
  TOLLGATE_DATABASE_CONNECTIONS: z.coerce.number().int().min(1).max(1_000).optional(),
  TOLLGATE_HOME: path.default('.tollgate'),
  TOLLGATE_CONFIG: path.optional(),
  TOLLGATE_AS: z
    .string()
    .regex(/^[^:\s]+:[^:\s]+$/, 'name:role,role, e.g. alice:support-lead')
    .optional(),
  /** Whether what the store holds of a run is sealed. Unset: in a SQLite store, and wherever there is a key service. */
  TOLLGATE_ENCRYPT_STORE: flag.optional(),
  /** Whether payloads in Temporal's history are sealed. */
  TOLLGATE_ENCRYPT_HISTORY: flag.default(false),
  /** A key of a Vault Transit engine that wraps the tenants' keys, e.g. https://vault:8200/v1/transit/keys/tollgate. */
  TOLLGATE_KMS_URL: transitKey.optional(),
  TOLLGATE_KMS_TOKEN: z.string().optional(),
  /** The Temporal Web UI that may call the codec server. */
  TOLLGATE_CODEC_ORIGIN: httpUrl.default('http://127.0.0.1:8233'),
  /** How long what was said is kept after the end of its run, such as 90d; unset: for ever. */
  TOLLGATE_RETAIN_TRANSCRIPTS: days.optional(),
  TOLLGATE_RETAIN_JOURNALS: days.optional(),
  TOLLGATE_RETAIN_VAULT: days.optional(),
  TOLLGATE_RETAIN_AUDIT: days.optional(),
  TOLLGATE_INSECURE: flag.default(false),
  TOLLGATE_URL: httpUrl.optional(),
  TOLLGATE_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'a key of the API, tg_…, or an access token of the issuer')
    .optional(),
  TOLLGATE_LISTEN: address.default('127.0.0.1:7480'),
  TOLLGATE_LOCAL_DEVELOPER: flag.optional(),
  /** The Temporal Web UI, to which the inbox page links. */
  TOLLGATE_TEMPORAL_UI_URL: httpUrl.optional(),
  /** Where a trace is shown, with `{traceId}` in its place; the inbox page links there. */
  TOLLGATE_TRACE_URL: traceUrl.optional(),
  TOLLGATE_SIMULATED_URL: httpUrl.optional(),
  TOLLGATE_TASK_QUEUE: z.string().max(200).default('tollgate'),
  /** Shares of the workers by tenant where runs queue, `acme=3,globex=0.5`; the others weigh 1. */
  TOLLGATE_TENANT_WEIGHTS: tenantWeights.default({}),
  TOLLGATE_DEPLOYMENT: versionPart.optional(),
  TOLLGATE_BUILD_ID: versionPart.optional(),
  TOLLGATE_HEALTH_FILE: path.optional(),
  /** Whether a worker writes down where each promise of a run was made, for the page Call Stack of the Temporal Web UI. */
  TOLLGATE_CALL_STACKS: flag.default(false),
  /** How often held money is reconciled, in minutes; 0 leaves it to `tollgate reconcile`. */
  TOLLGATE_RECONCILE_MINUTES: z.coerce.number().int().min(0).max(10_080).default(5),
  /** Where a worker serves its metrics to Prometheus, `host:port`, or a port on this machine alone; unset: nowhere. */
  TOLLGATE_METRICS_LISTEN: metricsAddress.optional(),
  /** The same of the HTTP API. */
  TOLLGATE_API_METRICS_LISTEN: metricsAddress.optional(),
  /** The same of the Temporal SDK inside a worker: its queues, pollers and slots. */
  TOLLGATE_TEMPORAL_METRICS_LISTEN: metricsAddress.optional(),
  /** A collector that worker and API send their metrics to by OTLP over HTTP, such as http://127.0.0.1:4318/v1/metrics. */
  TOLLGATE_OTLP_METRICS_URL: httpUrl.optional(),
  TOLLGATE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** A Presidio analyzer that finds names and places; unset, only what has a form is found. */
  TOLLGATE_PRESIDIO_URL: httpUrl.optional(),
  /** Its language, one that it has a model for. */
  TOLLGATE_PRESIDIO_LANGUAGE: z
    .string()
    .regex(/^[a-z]{2}$/, 'two letters, e.g. en')
    .default('en'),
  /** What it is asked for, by comma. */
  TOLLGATE_PRESIDIO_ENTITIES: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*(?:\s*,\s*[A-Z][A-Z0-9_]*)*$/, 'names of Presidio by comma, e.g. PERSON,LOCATION')
    .default('PERSON,LOCATION')
    .transform((value) => value.split(',').map((entity) => entity.trim())),
  /** How long one text may take. */
  TOLLGATE_PRESIDIO_TIMEOUT_MS: z.coerce.number().int().min(50).max(60_000).default(2_000),
  TOLLGATE_STORE_MAX_PAGES: z.coerce.number().int().min(16).optional(),
  /** Where the trace of a run that `tollgate run` starts hangs, as CI systems set it. */
  TRACEPARENT: z.string().max(200).optional(),
  /** Where spans go beside OTEL_EXPORTER_OTLP_ENDPOINT; each reads the variables of its own tools below. */
  TOLLGATE_TRACE_SINKS: traceSinks.default([]),
  /** Whether what was said goes along with the spans, redacted. */
  TOLLGATE_TRACE_CONTENT: flag.default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_EXPORTER_OTLP_HEADERS: pairs.optional(),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: pairs.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.literal('http/protobuf', 'http/protobuf, the only one that is spoken here').default('http/protobuf'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: z.literal('http/protobuf', 'http/protobuf, the only one that is spoken here').optional(),
  OTEL_EXPORTER_OTLP_TIMEOUT: z.coerce.number().int().min(1).default(10_000),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: z.coerce.number().int().min(1).optional(),
  OTEL_EXPORTER_OTLP_COMPRESSION: z.enum(['gzip', 'none']).default('none'),
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: z.enum(['gzip', 'none']).optional(),
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'none']).default('otlp'),
  OTEL_SDK_DISABLED: z.enum(['true', 'false']).default('false'),
  OTEL_SERVICE_NAME: z.string().max(200).optional(),
  OTEL_RESOURCE_ATTRIBUTES: pairs.default({}),
  LANGSMITH_API_KEY: z.string().optional(),
  LANGSMITH_ENDPOINT: httpUrl.optional(),
  LANGSMITH_PROJECT: z.string().optional(),
  WANDB_API_KEY: z.string().optional(),
  /** `entity/project`. */
  WANDB_PROJECT: z.string().optional(),
  WF_TRACE_SERVER_URL: httpUrl.optional(),
  PHOENIX_COLLECTOR_ENDPOINT: httpUrl.optional(),
  PHOENIX_API_KEY: z.string().optional(),
  PHOENIX_PROJECT_NAME: z.string().optional(),
  BRAINTRUST_API_KEY: z.string().optional(),
  /** `project_name:<name>`, `project_id:<id>` or `experiment_id:<id>`. */
  BRAINTRUST_PARENT: z.string().optional(),
  BRAINTRUST_API_URL: httpUrl.optional(),
  LANGFUSE_PUBLIC_KEY: z.string().optional(),
  LANGFUSE_SECRET_KEY: z.string().optional(),
  LANGFUSE_BASE_URL: httpUrl.optional(),
  HELICONE_API_KEY: z.string().optional(),
  HELICONE_API_URL: httpUrl.optional(),
  TOLLGATE_SEARCH_ATTRIBUTES_OFF: z
    .string()
    .transform((value) => value.split(',').map((topic) => topic.trim()))
    .pipe(z.array(z.enum(topics as [SearchAttributeTopic, ...SearchAttributeTopic[]], `one or more of ${topics.join(', ')}, by comma`)))
    .default([]),
  ...identityVariables,
});

/** The name of a setting: an environment variable. */
export type SettingName = keyof typeof environmentSchema.shape;

export interface Settings extends IdentitySettings {
  /** The data folder. */
  readonly home: string;
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly apiKey?: string;
    readonly tls?: { readonly certPath: string; readonly keyPath: string; readonly caPath?: string };
    /** True where TEMPORAL_ADDRESS is set: no dev server is started. */
    readonly isExternal: boolean;
  };
  readonly taskQueue: string;
  /** Shares of the workers by tenant; those not named weigh 1. */
  readonly tenantWeights: Readonly<Record<string, number>>;
  /** The Worker Deployment whose versions runs are pinned to; without it a run goes on with whatever worker there is. */
  readonly deployment?: string;
  /** In place of the digest of the workflow code. */
  readonly buildId?: string;
  /** A file that a worker touches as long as Temporal and the store answer it. */
  readonly healthFile?: string;
  /** Whether the Temporal Web UI can show a run's call stack; a step then costs the worker more. */
  readonly callStacks: boolean;
  readonly temporalCliPath?: string;
  /** Where this person's programs keep what can be had again. */
  readonly userCache: string;
  readonly openai: { readonly apiKey?: string; readonly baseUrl?: string };
  /** Base URL of the Temporal Web UI. */
  readonly temporalUiUrl?: string;
  /** Where a trace is shown, with `{traceId}` in the place of its id. */
  readonly traceUrl?: string;
  /** Base URL of a simulated provider, including `/v1`. */
  readonly simulatedUrl?: string;
  readonly databaseUrl?: string;
  readonly databaseConnections?: number;
  readonly configPath?: string;
  readonly encryption: {
    readonly store: boolean;
    readonly history: boolean;
    /** The key service that wraps keys, in place of the key file. */
    readonly kms?: { readonly url: string; readonly token?: string };
    /** The web page that may call the codec server. */
    readonly codecOrigin: string;
  };
  /** How long each class of data is kept after the end of its run, in milliseconds; absent: for ever. */
  readonly retention: { readonly transcripts?: number; readonly journals?: number; readonly vault?: number; readonly audit?: number };
  readonly insecure: boolean;
  /** Whether an unsigned signal counts as a decision. */
  readonly allowUnsigned: boolean;
  /** Who may repair runs. */
  readonly repairRoles: { readonly operator: string; readonly raiseBudget: string };
  /** The person that the CLI plays with the local key. */
  readonly as?: { readonly name: string; readonly roles: readonly string[] };
  /** The running API that client and CLI speak to, instead of Temporal and the store. */
  readonly api?: { readonly url: string; readonly token?: string };
  /** A key or an access token of whoever uses the CLI. */
  readonly token?: string;
  /** Where the API listens, `host:port`. */
  readonly listen: { readonly address: string; readonly isConfigured: boolean };
  /** Whether a request without a key may act as the developer at this machine. Unset: as long as there has never been a key. */
  readonly localDeveloper?: boolean;
  readonly reconcileEveryMinutes: number;
  readonly logLevel: string;
  readonly metrics: {
    /** Where each is served, `host:port`. */
    readonly worker?: string;
    readonly api?: string;
    readonly temporal?: string;
    readonly otlpUrl?: string;
  };
  /** The analyzer that finds names and places. */
  readonly presidio?: { readonly url: string; readonly language: string; readonly entities: readonly string[]; readonly timeoutMs: number };
  readonly storeMaxPages?: number;
  readonly traceparent?: string;
  readonly traces: {
    /** The collector that OTEL_EXPORTER_OTLP_* names. */
    readonly otlp?: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
    readonly timeoutMs: number;
    readonly compression: 'gzip' | 'none';
    readonly vendors: readonly (typeof TRACE_SINKS)[number][];
    readonly withContent: boolean;
    readonly resource: Readonly<Record<string, string>>;
    readonly isOff: boolean;
  };
  readonly searchAttributesOff: readonly SearchAttributeTopic[];
  /** The value of an environment variable that a task or an endpoint names; never printed. */
  readonly secret: (name: string) => string | undefined;
}

/** Whether a `host:port` is on this machine. */
export function isLoopbackAddress(hostAndPort: string): boolean {
  const host = hostAndPort.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
