import { expect, test } from 'vitest';
import { emptyTally, GateStory } from '../support/gate-simulation.ts';
import { seededRandom } from '../support/seeded-random.ts';

const STORIES = Number(process.env.TOLLGATE_STORIES ?? 100_000);

test('in 100,000 interleavings no action runs without a live quorum on what ran, none twice, and no decision is lost', { timeout: 120_000 }, () => {
  const firstSeed = Number(process.env.TOLLGATE_SEED ?? Date.now() % 1_000_000_000);
  const tally = emptyTally();
  const startedAt = performance.now();
  for (let seed = firstSeed; seed < firstSeed + STORIES; seed += 1) {
    try {
      new GateStory(seededRandom(seed), tally).play();
    } catch (error) {
      throw new Error(`${(error as Error).message}. Repeat it with TOLLGATE_SEED=${seed} TOLLGATE_STORIES=1`, { cause: error });
    }
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`gate simulation: ${STORIES} stories from seed ${firstSeed} in ${seconds} s: ${JSON.stringify(tally)}`);
  // A simulation in which none of this happens proves nothing.
  if (STORIES >= 1_000) for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(STORIES / 200);
});
