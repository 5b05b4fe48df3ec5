import { invariant } from '../../contracts/failures.ts';

/** Turns of a run's loop at one place in its history. */
export interface Turns {
  readonly historyLength: number;
  readonly count: number;
}

export const NO_TURNS: Turns = { historyLength: 0, count: 0 };
/** Nothing that a run does within one workflow task needs a part of it. */
export const MAX_TURNS = 20_000;

/** One turn more. @throws where the loop turns and turns and nothing happens: the run then waits for a fix, and the others of its worker go on. */
export function countTurn({ historyLength: before, count }: Turns, historyLength: number): Turns {
  const turns = { historyLength, count: historyLength === before ? count + 1 : 1 };
  invariant(turns.count <= MAX_TURNS, `the loop comes to an end; at event ${historyLength} it turned more than ${MAX_TURNS} times`);
  return turns;
}
