import fc from 'fast-check';

const seed = process.env.TOLLGATE_SEED;

/** Tries a property on many cases. One that fails is shrunk and printed with its seed; TOLLGATE_SEED repeats it. */
export function holdsFor<Case>(arbitrary: fc.Arbitrary<Case>, check: (example: Case) => void): void {
  // What `check` returns is dropped: fast-check takes false for a failure, and `expect` may return that.
  const property = fc.property(arbitrary, (example) => {
    check(example);
  });
  fc.assert(property, { numRuns: 500, ...(seed === undefined ? {} : { seed: Number(seed) }) });
}
