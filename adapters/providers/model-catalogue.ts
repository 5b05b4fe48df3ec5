import type { PriceTable } from '../../contracts/budget.ts';
import type { ModelApi } from '../../contracts/model.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import type { CatalogueEntry, ModelCatalogue } from '../../domain/model/catalogue-port.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import { taskPrice } from '../../domain/task/candidates.ts';
import type { EndpointSpec, ModelSpec } from '../../domain/task/define.ts';
import { createOpenAiEndpoint } from './openai/openai-endpoint.ts';
import { isOpenAiUrl } from './openai/dialect.ts';

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
  readonly structuredOutput: boolean;
  readonly isOpenAi: boolean;
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
      return plan ? entryOf(model, spec, plan, (wireModel) => prices.priceOf(wireModel, pricedAs, Date.now(), 'day')) : null;
    },
    endpoint: (name) => {
      const known = opened.get(name);
      if (known) return known;
      const plan = plans.get(name);
      if (!plan || plan.apiKey === undefined) return null;
      const { baseUrl, apiKey, headers, api, isOpenAi } = plan;
      const endpoint = createOpenAiEndpoint({ apiKey, api, isOpenAi, ...(baseUrl === undefined ? {} : { baseUrl }), ...(headers ? { headers } : {}) });
      opened.set(name, endpoint);
      return endpoint;
    },
  };
}

function entryOf(model: string, spec: ModelSpec | undefined, plan: EndpointPlan, listedPrice: (wireModel: string) => PriceTable | null): CatalogueEntry {
  const wireModel = spec?.wireModel ?? model;
  return {
    model,
    wireModel,
    provider: plan.provider,
    endpoint: plan.name,
    api: plan.provider === 'simulated' ? plan.api : (spec?.api ?? plan.api),
    background: plan.provider === 'simulated' ? plan.background : (spec?.background ?? plan.background),
    ...((spec?.structuredOutput ?? plan.structuredOutput) ? {} : { structuredOutput: false }),
    price: spec?.price ? taskPrice(model, spec.price, 'tollgate.config.ts') : listedPrice(wireModel),
    missingKey: plan.apiKey === undefined ? plan.keyVariable : null,
  };
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
      structuredOutput: true,
      isOpenAi: isOwn,
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
      structuredOutput: true,
      isOpenAi: true,
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
      ...(spec.headers ? { headers: spec.headers } : {}),
      api: spec.api ?? (own ? 'responses' : 'chat'),
      background: spec.background ?? own,
      structuredOutput: spec.structuredOutput ?? true,
      isOpenAi: own,
    });
  }
  return new Map(plans.map((plan) => [plan.name, plan]));
}
