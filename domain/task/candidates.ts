import type { PriceTable } from '../../contracts/budget.ts';
import type { FailureType } from '../../contracts/failures.ts';
import type { CandidateSnapshot, TaskDefinition } from '../../contracts/task.ts';
import { picoUsdPerToken } from '../budget/exact-rate.ts';
import type { CatalogueEntry, ModelCatalogue } from '../model/catalogue-port.ts';

export interface CandidateProblem {
  readonly type: FailureType;
  readonly message: string;
}

export type ResolvedCandidates =
  | { readonly type: 'resolved'; readonly candidates: readonly CandidateSnapshot[] }
  | { readonly type: 'problems'; readonly problems: readonly CandidateProblem[] };

/** Looks a task's models up in the catalogue. A model without endpoint, key or price is a problem, all of them listed. */
export function resolveCandidates(task: Pick<TaskDefinition, 'models' | 'providerStorage'>, catalogue: ModelCatalogue): ResolvedCandidates {
  const candidates: CandidateSnapshot[] = [];
  const problems: CandidateProblem[] = [];
  for (const candidate of task.models) {
    const entry = catalogue.find(candidate.model);
    const price = candidate.price ? taskPrice(candidate.model, candidate.price) : (entry?.price ?? null);
    const problem = problemOf(candidate.model, entry, price, catalogue);
    if (problem) problems.push(problem);
    else if (entry && price) {
      const { model, wireModel, provider, endpoint, api } = entry;
      const background = entry.background && task.providerStorage === 'allowed';
      const structured = entry.structuredOutput === false ? { structuredOutput: false as const } : {};
      candidates.push({ model, wireModel, provider, endpoint, api, background, ...structured, price });
    }
  }
  return problems.length > 0 ? { type: 'problems', problems } : { type: 'resolved', candidates };
}

function problemOf(model: string, entry: CatalogueEntry | null, price: PriceTable | null, catalogue: ModelCatalogue): CandidateProblem | null {
  if (!entry)
    return {
      type: 'unknownModel',
      message: `No endpoint serves the model "${model}". Models listed: ${catalogue.listed().join(', ') || 'none'}. Add it to "models" in tollgate.config.ts.`,
    };
  if (entry.missingKey)
    return { type: 'missingKey', message: `The model "${model}" needs ${entry.missingKey}, which is not set. Set it, or take another model.` };
  if (!price)
    return {
      type: 'unpricedModel',
      message: `The model "${model}" has no known price, so its cost can't be bounded. Give it one: "price" beside the model in the task or in tollgate.config.ts (USD per million tokens), or a price file (tollgate price import, then "prices" in tollgate.config.ts).`,
    };
  return null;
}

/** What a task or a configuration states: USD per million tokens. */
export interface StatedPrice {
  readonly inputUsdPerMillion: number;
  readonly cachedInputUsdPerMillion?: number | undefined;
  readonly cacheWriteUsdPerMillion?: number | undefined;
  readonly outputUsdPerMillion: number;
}

/** The price that a task or a configuration states, as a table. Cache writes cost what input does, unless it says otherwise. */
export function taskPrice(model: string, price: StatedPrice, source = 'task'): PriceTable {
  const rate = (usdPerMillion: number) => ({ picoUsdPerToken: picoUsdPerToken(usdPerMillion) });
  return {
    model,
    source,
    input: rate(price.inputUsdPerMillion),
    ...(price.cachedInputUsdPerMillion === undefined ? {} : { cachedInput: rate(price.cachedInputUsdPerMillion) }),
    cacheWrite: rate(price.cacheWriteUsdPerMillion ?? price.inputUsdPerMillion),
    output: rate(price.outputUsdPerMillion),
  };
}
