import { partFor, type ScriptedAnswer } from '../adapters/providers/simulated/script.ts';
import { findListedModel, type SimulatedModel } from '../adapters/providers/simulated/price-list.ts';
import { lastToolResults, systemText, turnOf, userText, type WireRequest } from '../adapters/providers/simulated/wire-request.ts';
import type { PriceTable } from '../contracts/budget.ts';
import { withoutBoundary } from '../domain/redaction/sanitise.ts';
import { type ModelAsked, type ScriptTurn, toTurn } from './script.ts';

const MAX_REMEMBERED = 10_000;

/** Which runs a script is for. Everything given must hold; nothing given fits every run. */
export interface ScriptMatch {
  /** In the run's first user message. */
  readonly user?: string;
  /** In the task's prompt. */
  readonly system?: string;
  /** The last turn is said again for ever. */
  readonly repeatLast?: boolean;
}

interface Script {
  readonly id: string;
  readonly turns: readonly ScriptTurn[];
  readonly match: ScriptMatch;
}

/**
 * A model that says what a test wrote down. It plays every model that the tasks name, at that model's price. A request that
 * no script has a turn for is refused, and the run fails with the reason.
 */
export class ScriptedModel {
  /** Newest first. */
  readonly #scripts: Script[] = [];
  readonly #asked: ModelAsked[] = [];
  readonly #prices = new Map<string, SimulatedModel>();

  /** Sets what the model says from now on. The newest script that fits a run counts; earlier ones stay for the runs that it does not fit. */
  script(turns: readonly ScriptTurn[], match: ScriptMatch = {}): void {
    for (const turn of turns) if (typeof turn !== 'function') toTurn(turn);
    this.#scripts.unshift({ id: `script-${this.#scripts.length + 1}`, turns, match });
  }

  /** Everything that was asked so far, over all runs, retries and fallbacks included. */
  get asked(): readonly ModelAsked[] {
    return this.#asked;
  }

  /** @internal Prices that the bill is computed with. */
  setPrice(wireModel: string, { input, cachedInput = input, output }: PriceTable): void {
    const nano = (rate: { readonly picoUsdPerToken: number }): number => rate.picoUsdPerToken / 1_000;
    const reasons = findListedModel(wireModel)?.reasons ?? false;
    this.#prices.set(wireModel, { inputNanoUsd: nano(input), cachedNanoUsd: nano(cachedInput), outputNanoUsd: nano(output), reasons });
  }

  /** @internal */
  findModel(name: string): SimulatedModel | undefined {
    return this.#prices.get(name);
  }

  /** @internal Answers a request; never throws. */
  answer(request: WireRequest): ScriptedAnswer {
    const asked = toAsked(request);
    if (this.#asked.length < MAX_REMEMBERED) this.#asked.push(asked);
    const script = this.#scripts.find(({ match }) => fits(match, request));
    if (!script) return refused('none', `No script fits this run. Its first user message is ${shown(userText(request, 'first'))}. Call model.script([...]).`);
    const { turns, match, id } = script;
    const turn = turns[asked.turn - 1] ?? (match.repeatLast ? turns.at(-1) : undefined);
    if (turn === undefined)
      return refused(id, `The script has ${turns.length} turns, and the model was asked for turn ${asked.turn}, after ${shown(lastTextOf(asked))}.`);
    try {
      return { scenario: id, part: partFor(toTurn(typeof turn === 'function' ? turn(asked) : turn), request) };
    } catch (error) {
      return refused(id, `Turn ${asked.turn} of the script failed: ${(error as Error).message}`);
    }
  }
}

function refused(scenario: string, why: string): ScriptedAnswer {
  return { scenario, part: null, why };
}

function fits({ user, system }: ScriptMatch, request: WireRequest): boolean {
  if (system !== undefined && !systemText(request).includes(system)) return false;
  return user === undefined || userText(request, 'first').includes(user);
}

function toAsked(request: WireRequest): ModelAsked {
  return {
    turn: turnOf(request),
    model: request.model,
    system: systemText(request),
    messages: request.items.map(({ role, text }) => ({ role, text })),
    toolResults: lastToolResults(request).map(withoutBoundary),
    tools: request.offeredTools,
  };
}

function lastTextOf(asked: ModelAsked): string {
  return asked.messages.at(-1)?.text ?? '';
}

function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
}
