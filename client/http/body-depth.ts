import { TollgateError } from '../../contracts/failures.ts';

const MAX_DEPTH = 100;

/** @throws TollgateError `invalidInput` for a body that is nested so deeply that whoever walks it runs out of stack. */
export function demandShallow(body: unknown): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) throw new TollgateError('invalidInput', `body: it is nested more than ${MAX_DEPTH} levels deep.`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
}
