import fc from 'fast-check';

const seed = process.env.TOLLGATE_SEED;

/** Tries a property on many cases. One that fails is shrunk and printed with its seed; TOLLGATE_SEED repeats it. */
export function holdsFor<Case>(arbitrary: fc.Arbitrary<Case>, check: (example: Case) => void): void {
  fc.assert(fc.property(arbitrary, check), { numRuns: 500, ...(seed === undefined ? {} : { seed: Number(seed) }) });
}
