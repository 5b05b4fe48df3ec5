/** What one model costs here, in integer nano-USD per token, and whether it spends output tokens on reasoning. */
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

/** The model of that name, or undefined where the simulated provider does not offer it. */
export function findModel(name: string): SimulatedModel | undefined {
  return Object.hasOwn(SIMULATED_MODELS, name) ? SIMULATED_MODELS[name] : undefined;
}

/** What `usage` costs, in integer nano-USD. */
export function chargeFor(model: SimulatedModel, usage: SimulatedUsage): number {
  const uncached = usage.inputTokens - usage.cachedTokens;
  return uncached * model.inputNanoUsd + usage.cachedTokens * model.cachedNanoUsd + usage.outputTokens * model.outputNanoUsd;
}
