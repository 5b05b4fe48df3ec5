import type { Fault, Scenario, Turn, TurnPart, When } from './scenario.ts';
import { lastToolResults, systemText, turnOf, userText, type WireRequest } from './wire-request.ts';

const DEFAULT_TEXT =
  '[simulated] No model wrote this. The simulated provider has no scenario for this conversation; add a scenario file (tollgate dev --scenarios FILE), or set OPENAI_API_KEY to use a real model.';

/** What the script says for one request. */
export interface ScriptedTurn {
  /** Id of the scenario, `default` where none matches. */
  readonly scenario: string;
  readonly part: TurnPart;
}

/** What a script in code says; without a `part` the request is refused, with the reason. */
export type ScriptedAnswer = ScriptedTurn | { readonly scenario: string; readonly part: null; readonly why: string };

/** Finds the first scenario that matches and its part for this turn and model. Depends on the request alone. */
export function findScriptedTurn(scenarios: readonly Scenario[], request: WireRequest): ScriptedTurn {
  const scenario = scenarios.find((candidate) => matches(candidate.match, request));
  if (!scenario) return { scenario: 'default', part: { text: DEFAULT_TEXT } };
  const number = turnOf(request);
  const turn = scenario.turns[number - 1] ?? (scenario.repeatLast ? scenario.turns.at(-1) : undefined);
  if (!turn) return { scenario: scenario.id, part: { text: `[simulated] The scenario "${scenario.id}" ends before turn ${number}.` } };
  return { scenario: scenario.id, part: partFor(turn, request) };
}

/** The fault that the script has for this try, if any. The first that names the try, or no try, wins. */
export function scriptedFault(part: TurnPart, attempt: number): Fault | null {
  return part.faults?.find((fault) => fault.attempt === undefined || [fault.attempt].flat().includes(attempt)) ?? null;
}

function matches(match: Scenario['match'], request: WireRequest): boolean {
  if (match.model !== undefined && match.model !== request.model) return false;
  if (match.system !== undefined && !systemText(request).includes(match.system)) return false;
  return match.user === undefined || userText(request, 'first').includes(match.user);
}

/** What a turn says to one request: its alternative that holds, and what it has for the model. */
export function partFor(turn: Turn, request: WireRequest): TurnPart {
  const alternative = turn.alternatives?.find((candidate) => holds(candidate.when, request));
  const chosen = alternative ? override(turn, alternative) : turn;
  const forModel = (alternative?.byModel ?? turn.byModel)?.[request.model];
  return forModel ? override(chosen, forModel) : chosen;
}

function holds(when: When, request: WireRequest): boolean {
  if (when.toolsOffered !== undefined && when.toolsOffered !== request.offeredTools.length > 0) return false;
  if (when.lastUserMessageIncludes !== undefined && !includesAny(userText(request, 'last'), when.lastUserMessageIncludes)) return false;
  return when.lastToolResultIncludes === undefined || includesAny(lastToolResults(request).join('\n'), when.lastToolResultIncludes);
}

function includesAny(text: string, words: string | readonly string[]): boolean {
  const lower = text.toLowerCase();
  return [words].flat().some((word) => lower.includes(word.toLowerCase()));
}

/** What is said is taken from one side as a whole; usage and faults one by one. */
function override(base: TurnPart, change: TurnPart): TurnPart {
  const says = change.text !== undefined || change.toolCalls !== undefined || change.refusal !== undefined || change.empty !== undefined;
  const { text, toolCalls, refusal, empty } = says ? change : base;
  const finishReason = change.finishReason ?? (says ? undefined : base.finishReason);
  return { text, toolCalls, refusal, empty, finishReason, usage: change.usage ?? base.usage, faults: change.faults ?? base.faults };
}
