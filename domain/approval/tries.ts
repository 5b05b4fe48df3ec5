import type { GateTries, Tried } from '../../contracts/agent-run.ts';

// How often people may try at one gate. Each person has tries of their own, and what nobody signed has its own too, so that
// nobody uses up what belongs to those who may decide.

export const NO_TRIES: GateTries = { unproven: 0, by: [] };
/** Decisions remembered at one gate; beyond, people are still heard. */
export const MAX_REMEMBERED = 200;

/** Whether a decision is another try, one that came before, or more than its sender has here. `tried`: null where nobody is shown to have signed it. */
export function triesLeft({ unproven, by }: GateTries, tried: Tried | null, max: number): 'new' | 'again' | 'tooMany' {
  if (!tried) return unproven < max ? 'new' : 'tooMany';
  const own = decisionsOf(by, tried.person);
  if (own.includes(tried.decision)) return 'again';
  return own.length < max ? 'new' : 'tooMany';
}

/** What was tried with this decision too. Above `max` nothing is counted: it says no more than before. */
export function withTry(tries: GateTries, tried: Tried | null, max: number): GateTries {
  if (triesLeft(tries, tried, max) !== 'new') return tries;
  if (!tried) return { ...tries, unproven: tries.unproven + 1 };
  if (tries.by.reduce((sum, { decisions }) => sum + decisions.length, 0) >= MAX_REMEMBERED) return tries;
  const own = { person: tried.person, decisions: [...decisionsOf(tries.by, tried.person), tried.decision] };
  return { ...tries, by: [...tries.by.filter(({ person }) => person !== tried.person), own] };
}

function decisionsOf(by: GateTries['by'], person: string): readonly string[] {
  return by.find((one) => one.person === person)?.decisions ?? [];
}
