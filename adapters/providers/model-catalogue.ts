import type { PriceTable } from '../../contracts/budget.ts';
import type { ModelApi } from '../../contracts/model.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import type { CatalogueEntry, ModelCatalogue } from '../../domain/model/catalogue-port.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import { taskPrice } from '../../domain/task/candidates.ts';
import type { EndpointSpec, ModelSpec } from '../../domain/task/define.ts';
import { priceAtEndpoint } from '../prices/regional.ts';
import { createOpenAiEndpoint } from './openai/openai-endpoint.ts';
import { isOpenAiUrl } from './openai/dialect.ts';
import { type GatewayKind, gatewayKindOf } from './openai/gateway-headers.ts';
import { type RecordsKind, recordsKindOf } from './records/records.ts';
import { type Encoding, encodingOf } from '../tokenizers/openai-tokenizer.ts';

export interface ModelCatalogueOptions {
  readonly openai: { readonly apiKey?: string; readonly baseUrl?: string };
  /** A simulated provider, which plays every model where there is no key. */
  readonly simulatedUrl?: string;
  readonly models?: readonly ModelSpec[];
  readonly endpoints?: Readonly<Record<string, EndpointSpec>>;
  /** The value of a secret by the name of its environment variable. */
  readonly secret: (name: string) => string | undefined;
  readonly prices: PriceSource;
}

interface EndpointPlan {
  readonly name: string;
  /** Who is shown as the provider. */
  readonly provider: string;
  /** Whose price list counts. */
  readonly pricedAs: string;
  readonly baseUrl?: string;
  readonly apiKey: string | undefined;
  readonly keyVariable: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly api: ModelApi;
  readonly background: boolean;
  readonly stream: 'all' | 'long' | 'none';
  readonly streamIdleTimeoutMs?: number;
  readonly structuredOutput: boolean;
  readonly isOpenAi: boolean;
  readonly records: RecordsKind;
  readonly gateway: GatewayKind;
}

/** The models a configuration can reach. A model that it does not list goes to the default endpoint under its own name. */
export function createModelCatalogue(options: ModelCatalogueOptions): ModelCatalogue {
  const plans = endpointPlans(options);
  const opened = new Map<string, ModelEndpoint>();
  const { models = [], prices } = options;
  return {
    listed: () => models.map(({ model }) => model),
    find: (model) => {
      const spec = models.find((candidate) => candidate.model === model);
      // Where a simulated provider plays the models it plays all of them: nothing may reach a real one by mistake.
      const plan = plans.get(options.simulatedUrl !== undefined && !options.openai.apiKey ? 'simulated' : (spec?.endpoint ?? 'openai'));
      const pricedAs = plans.get(spec?.endpoint ?? 'openai')?.pricedAs ?? 'openai';
      const listed = {
        price: (wireModel: string) => prices.priceOf(wireModel, pricedAs, Date.now(), 'day'),
        contextWindow: (wireModel: string) => prices.contextWindowOf?.(wireModel, pricedAs),
      };
      return plan ? entryOf(model, spec, plan, listed) : null;
    },
    endpoint: (name) => {
      const known = opened.get(name);
      if (known) return known;
      const plan = plans.get(name);
      if (!plan || plan.apiKey === undefined) return null;
      const { baseUrl, apiKey, headers, api, isOpenAi, streamIdleTimeoutMs, provider } = plan;
      const encoding = (wireModel: string) => tokenizerOf(models, wireModel, plan);
      const endpoint = createOpenAiEndpoint({
        apiKey,
        api,
        isOpenAi,
        encodingOf: encoding,
        records: plan.records,
        gateway: plan.gateway,
        provider,
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...(headers ? { headers } : {}),
        ...(streamIdleTimeoutMs === undefined ? {} : { streamIdleTimeoutMs }),
      });
      opened.set(name, endpoint);
      return endpoint;
    },
  };
}

interface Listed {
  readonly price: (wireModel: string) => PriceTable | null;
  readonly contextWindow: (wireModel: string) => number | undefined;
}

function entryOf(model: string, spec: ModelSpec | undefined, plan: EndpointPlan, listed: Listed): CatalogueEntry {
  const wireModel = spec?.wireModel ?? model;
  const stream = spec?.stream === undefined ? plan.stream : kindOf(spec.stream);
  const contextWindow = spec?.contextWindow ?? listed.contextWindow(wireModel);
  return {
    model,
    wireModel,
    provider: plan.provider,
    endpoint: plan.name,
    api: plan.provider === 'simulated' ? plan.api : (spec?.api ?? plan.api),
    background: plan.provider === 'simulated' ? plan.background : (spec?.background ?? plan.background),
    ...(stream === 'none' ? {} : { stream }),
    ...((spec?.structuredOutput ?? plan.structuredOutput) ? {} : { structuredOutput: false }),
    ...(contextWindow === undefined ? {} : { contextWindow }),
    price: spec?.price ? taskPrice(model, spec.price, 'tollgate.config.ts') : priceThere(listed.price(wireModel), plan),
    missingKey: plan.apiKey === undefined ? plan.keyVariable : null,
  };
}

/** As the configuration says, else OpenAI's own for its own models. What a gateway calls a model is no proof of what it sends it to. */
function tokenizerOf(models: readonly ModelSpec[], wireModel: string, { provider, baseUrl }: EndpointPlan): Encoding | null {
  const spec = models.find((candidate) => (candidate.wireModel ?? candidate.model) === wireModel);
  return spec?.tokenizer ?? (provider === 'openai' && isOpenAiUrl(baseUrl) ? encodingOf(wireModel) : null);
}

function priceThere(price: PriceTable | null, { baseUrl }: EndpointPlan): PriceTable | null {
  return price && priceAtEndpoint(price, baseUrl);
}

/** A header whose variable is not set is left out: the gateway says what it lacks. */
function headersOf({ headers, secretHeaders = {} }: EndpointSpec, secret: ModelCatalogueOptions['secret']): Pick<EndpointPlan, 'headers'> {
  const secrets = Object.entries(secretHeaders).flatMap(([header, variable]) => {
    const value = secret(variable);
    return value === undefined ? [] : [[header, value] as const];
  });
  return headers || secrets.length > 0 ? { headers: { ...headers, ...Object.fromEntries(secrets) } } : {};
}

function kindOf(isStreamed: boolean): 'all' | 'none' {
  return isStreamed ? 'all' : 'none';
}

function endpointPlans({ openai, simulatedUrl, endpoints = {}, secret }: ModelCatalogueOptions): Map<string, EndpointPlan> {
  const isOwn = isOpenAiUrl(openai.baseUrl);
  const plans: EndpointPlan[] = [
    {
      name: 'openai',
      provider: 'openai',
      pricedAs: 'openai',
      ...(openai.baseUrl === undefined ? {} : { baseUrl: openai.baseUrl }),
      apiKey: openai.apiKey,
      keyVariable: 'OPENAI_API_KEY',
      api: isOwn ? 'responses' : 'chat',
      background: isOwn,
      // Not every compatible server counts the tokens of a stream.
      stream: isOwn ? 'long' : 'none',
      structuredOutput: true,
      isOpenAi: isOwn,
      records: recordsKindOf('openai', openai.baseUrl),
      gateway: gatewayKindOf('openai', openai.baseUrl),
    },
  ];
  if (simulatedUrl !== undefined)
    plans.push({
      name: 'simulated',
      provider: 'simulated',
      pricedAs: 'openai',
      baseUrl: simulatedUrl,
      apiKey: 'simulated',
      keyVariable: '',
      api: 'responses',
      background: true,
      stream: 'long',
      structuredOutput: true,
      isOpenAi: true,
      records: 'simulated',
      gateway: 'none',
    });
  for (const [name, spec] of Object.entries(endpoints)) {
    const own = isOpenAiUrl(spec.baseUrl);
    plans.push({
      name,
      provider: spec.provider,
      pricedAs: spec.provider,
      baseUrl: spec.baseUrl,
      apiKey: spec.apiKeyVariable === undefined ? 'none' : secret(spec.apiKeyVariable),
      keyVariable: spec.apiKeyVariable ?? '',
      ...headersOf(spec, secret),
      api: spec.api ?? (own ? 'responses' : 'chat'),
      background: spec.background ?? own,
      stream: spec.stream === undefined ? (own ? 'long' : 'none') : kindOf(spec.stream),
      ...(spec.streamIdleTimeoutMs === undefined ? {} : { streamIdleTimeoutMs: spec.streamIdleTimeoutMs }),
      structuredOutput: spec.structuredOutput ?? true,
      isOpenAi: own,
      records: spec.records ?? recordsKindOf(spec.provider, spec.baseUrl),
      gateway: spec.gateway ?? gatewayKindOf(spec.provider, spec.baseUrl),
    });
  }
  return new Map(plans.map((plan) => [plan.name, plan]));
}
