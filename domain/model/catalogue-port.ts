import type { PriceTable } from '../../contracts/budget.ts';
import type { ModelApi } from '../../contracts/model.ts';
import type { ModelEndpoint } from './provider-port.ts';

/** One model that the configuration knows how to reach. */
export interface CatalogueEntry {
  readonly model: string;
  /** The name sent on the wire. */
  readonly wireModel: string;
  readonly provider: string;
  /** Names the endpoint, for `endpoint()`. */
  readonly endpoint: string;
  readonly api: ModelApi;
  /** Whether the endpoint has background responses. */
  readonly background: boolean;
  /** Which replies are streamed, of those that are not in the background. Unset: none. */
  readonly stream?: 'all' | 'long';
  /** False where the endpoint refuses a request that names an output schema. */
  readonly structuredOutput?: false;
  /** Tokens that the model takes in one request, where that is known. */
  readonly contextWindow?: number;
  /** Null where nobody knows what it costs. */
  readonly price: PriceTable | null;
  /** The setting that holds the endpoint's key, where it is not set. */
  readonly missingKey: string | null;
}

export interface ModelCatalogue {
  /** Null where no endpoint serves the model. */
  find(model: string): CatalogueEntry | null;
  /** Null where the configuration has no endpoint of that name (any more). */
  endpoint(name: string): ModelEndpoint | null;
  /** Model names the configuration lists, for messages. */
  listed(): readonly string[];
}
