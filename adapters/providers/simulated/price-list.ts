/** What one model costs here, in nano-USD per token (at most three decimal places), and whether it spends output tokens on reasoning. */
export interface SimulatedModel {
  readonly inputNanoUsd: number;
  readonly cachedNanoUsd: number;
  readonly outputNanoUsd: number;
  readonly reasons: boolean;
}

/** Tokens of one reply as the simulated provider counts and charges them. */
export interface SimulatedUsage {
  /** Cached ones included. */
  readonly inputTokens: number;
  readonly cachedTokens: number;
  /** Reasoning included. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/**
 * Prices frozen on 2026-11-23, kept apart from the price source that Tollgate reserves and settles with: a ledger that
 * agrees with this bill was computed twice, from two tables.
 */
export const SIMULATED_MODELS: Readonly<Record<string, SimulatedModel>> = {
  'gpt-5': { inputNanoUsd: 1250, cachedNanoUsd: 125, outputNanoUsd: 10_000, reasons: true },
  'gpt-5-mini': { inputNanoUsd: 250, cachedNanoUsd: 25, outputNanoUsd: 2000, reasons: true },
  'gpt-5-nano': { inputNanoUsd: 50, cachedNanoUsd: 5, outputNanoUsd: 400, reasons: true },
  'gpt-4.1-mini': { inputNanoUsd: 400, cachedNanoUsd: 100, outputNanoUsd: 1600, reasons: false },
};

export const NO_USAGE: SimulatedUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** Finds a model by its name on the wire; undefined where the provider does not offer it. */
export type FindModel = (name: string) => SimulatedModel | undefined;

export const findListedModel: FindModel = (name) => (Object.hasOwn(SIMULATED_MODELS, name) ? SIMULATED_MODELS[name] : undefined);

/** What `usage` costs, in integer nano-USD, rounded up once. */
export function chargeFor(model: SimulatedModel, usage: SimulatedUsage): number {
  const pico = (nanoUsd: number): number => Math.round(nanoUsd * 1_000);
  const uncached = usage.inputTokens - usage.cachedTokens;
  const cost = uncached * pico(model.inputNanoUsd) + usage.cachedTokens * pico(model.cachedNanoUsd) + usage.outputTokens * pico(model.outputNanoUsd);
  return Math.ceil(cost / 1_000);
}
