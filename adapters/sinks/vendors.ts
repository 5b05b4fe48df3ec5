import { TollgateError } from '../../contracts/failures.ts';
import type { SinkSpec, SinkType } from '../../domain/task/define.ts';
import type { Attributes, Span } from '../../telemetry/span.ts';
import {
  type FeedbackRequester,
  heliconeFeedback,
  langfuseFeedback,
  langSmithFeedback,
  langSmithProject,
  phoenixFeedback,
  weaveFeedback,
} from './feedback-requests.ts';
import { braintrust, langfuse, langSmith, phoenix, weave } from './overlays.ts';

/** Where a sink is and what it wants, from a configuration or from the variables that its own tools read. */
export interface SinkPlan {
  readonly encoding: 'protobuf' | 'helicone';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Attributes;
  readonly overlay?: (span: Span) => Attributes;
  /** Unset: feedback is a span like others. */
  readonly feedback?: FeedbackRequester;
}

type Secret = (name: string) => string | undefined;

interface Given {
  readonly spec: SinkSpec;
  /** The value of the first of these variables that is set. */
  readonly key: (...variables: readonly string[]) => string | undefined;
  /** @throws TollgateError that names the variable. */
  readonly need: (...variables: readonly string[]) => string;
  readonly base: (fallback: string, ...variables: readonly string[]) => string;
}

/** What a sink needs, by its type. @throws TollgateError `invalidInput` that says which variable is missing. */
export function planOf(name: string, spec: SinkSpec, secret: Secret): SinkPlan {
  const key = (...variables: readonly string[]) => variables.map(secret).find((value) => value !== undefined);
  const need = (...variables: readonly string[]): string => {
    const value = key(...(spec.keyVariable === undefined ? variables : [spec.keyVariable]));
    if (value !== undefined) return value;
    const wanted = spec.keyVariable ?? variables.join(' or ');
    throw new TollgateError('invalidInput', `The trace sink "${name}" needs ${wanted}, which is not set. Set it, or take "${name}" out of the trace sinks.`);
  };
  const base = (fallback: string, ...variables: readonly string[]) => (spec.url ?? key(...variables) ?? fallback).replace(/\/+$/, '');
  const plan = PLANS[spec.type]({ spec, key, need, base });
  const secretHeaders = Object.entries(spec.secretHeaders ?? {}).map(([header, variable]) => {
    const value = secret(variable);
    if (value === undefined) throw new TollgateError('invalidInput', `The trace sink "${name}" needs ${variable} for its header ${header}, and it is not set.`);
    return [header.toLowerCase(), value];
  });
  return { ...plan, headers: { ...plan.headers, ...Object.fromEntries(secretHeaders) }, resource: { ...plan.resource, ...spec.attributes } };
}

const PLANS: Readonly<Record<SinkType, (given: Given) => SinkPlan>> = {
  otlp: ({ base }) => ({ encoding: 'protobuf', url: base('http://127.0.0.1:4318/v1/traces'), headers: {}, resource: {} }),
  langsmith: ({ spec, key, need, base }) => {
    const project = spec.project ?? key('LANGSMITH_PROJECT');
    const at = base('https://api.smith.langchain.com', 'LANGSMITH_ENDPOINT');
    const auth = { 'x-api-key': need('LANGSMITH_API_KEY') };
    return {
      encoding: 'protobuf',
      url: under(at, '/otel/v1/traces'),
      headers: { ...auth, ...(project ? { 'langsmith-project': project } : {}) },
      resource: {},
      overlay: langSmith,
      feedback: langSmithFeedback({ url: beside(at, '/otel/v1/traces', '/feedback'), headers: auth }, () =>
        langSmithProject(beside(at, '/otel/v1/traces', '/sessions'), auth, project ?? 'default'),
      ),
    };
  },
  weave: ({ spec, key, need, base }) => {
    const [entity, project] = (spec.project ?? key('WANDB_PROJECT') ?? '').split('/');
    if (!entity || !project) throw new TollgateError('invalidInput', 'The trace sink for Weave needs its project as "entity/project": set WANDB_PROJECT.');
    const at = base('https://trace.wandb.ai', 'WF_TRACE_SERVER_URL');
    const apiKey = need('WANDB_API_KEY');
    return {
      encoding: 'protobuf',
      url: under(at, '/agents/otel/v1/traces'),
      headers: { 'wandb-api-key': apiKey },
      resource: { 'wandb.entity': entity, 'wandb.project': project },
      overlay: weave,
      feedback: weaveFeedback(
        { url: beside(at, '/agents/otel/v1/traces', '/feedback/create'), headers: { authorization: basic('api', apiKey) } },
        `${entity}/${project}`,
      ),
    };
  },
  phoenix: ({ spec, key, base }) => {
    const project = spec.project ?? key('PHOENIX_PROJECT_NAME') ?? 'tollgate';
    const apiKey = key(spec.keyVariable ?? 'PHOENIX_API_KEY');
    const at = base('http://127.0.0.1:6006', 'PHOENIX_COLLECTOR_ENDPOINT');
    const auth: Record<string, string> = apiKey ? { authorization: `Bearer ${apiKey}` } : {};
    return {
      encoding: 'protobuf',
      url: under(at, '/v1/traces'),
      headers: { 'x-project-name': project, ...auth },
      resource: { 'openinference.project.name': project },
      overlay: phoenix,
      feedback: phoenixFeedback({ url: beside(at, '/v1/traces', '/v1/span_annotations'), headers: auth }),
    };
  },
  braintrust: ({ spec, key, need, base }) => {
    const parent = spec.project ?? key('BRAINTRUST_PARENT');
    return {
      encoding: 'protobuf',
      url: under(base('https://api.braintrust.dev', 'BRAINTRUST_API_URL'), '/otel/v1/traces'),
      headers: {
        authorization: `Bearer ${need('BRAINTRUST_API_KEY')}`,
        'x-bt-parent': parent?.includes(':') ? parent : `project_name:${parent ?? 'tollgate'}`,
      },
      resource: {},
      overlay: braintrust,
    };
  },
  langfuse: ({ spec, key, need, base }) => {
    const publicKey = key(spec.publicKeyVariable ?? 'LANGFUSE_PUBLIC_KEY');
    if (publicKey === undefined) throw new TollgateError('invalidInput', 'The trace sink for Langfuse needs LANGFUSE_PUBLIC_KEY beside LANGFUSE_SECRET_KEY.');
    const at = base('https://cloud.langfuse.com', 'LANGFUSE_BASE_URL');
    const headers = { authorization: basic(publicKey, need('LANGFUSE_SECRET_KEY')) };
    return {
      encoding: 'protobuf',
      url: under(at, '/api/public/otel/v1/traces'),
      headers,
      resource: spec.project === undefined ? {} : { 'langfuse.environment': spec.project },
      overlay: langfuse,
      feedback: langfuseFeedback({ url: beside(at, '/api/public/otel/v1/traces', '/api/public/scores'), headers }, spec.project),
    };
  },
  helicone: ({ need, base }) => {
    const at = base('https://api.helicone.ai', 'HELICONE_API_URL');
    const headers = { authorization: `Bearer ${need('HELICONE_API_KEY')}` };
    return {
      encoding: 'helicone',
      url: under(at, '/v1/trace/log'),
      headers,
      resource: {},
      feedback: heliconeFeedback({ url: beside(at, '/v1/trace/log', '/v1/request'), headers }),
    };
  },
};

/** An address that has the path already is taken as it is. */
function under(base: string, path: string): string {
  return base.endsWith('/v1/traces') || base.endsWith(path) ? base : `${base}${path}`;
}

/** Another path of the same backend, also where the address names the whole path of traces. */
function beside(base: string, tracesPath: string, path: string): string {
  if (base.endsWith(tracesPath)) return `${base.slice(0, -tracesPath.length)}${path}`;
  return base.endsWith('/v1/traces') ? new URL(path, base).href : `${base}${path}`;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
