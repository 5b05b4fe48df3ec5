/** Where a moment lies on a line from 0 to 1. */
export type TimeScale = (atMs: number) => number;

/** Shorter than this, times look as if nothing had passed. */
const UNIT_MS = 100;

/**
 * A scale on which calls of milliseconds and gates that wait for days are both seen: between two events it grows with the
 * logarithm of what passed. Order is kept; lengths are not to be compared by eye, which is why they are written beside.
 */
export function timeScale(moments: readonly number[]): TimeScale {
  const sorted = [...new Set(moments)].sort((a, b) => a - b);
  const places = [0];
  for (let index = 1; index < sorted.length; index += 1) {
    const passed = (sorted[index] ?? 0) - (sorted[index - 1] ?? 0);
    places.push((places[index - 1] ?? 0) + Math.log2(1 + passed / UNIT_MS) + 0.2);
  }
  const whole = places.at(-1) || 1;
  const byMoment = new Map(sorted.map((moment, index) => [moment, (places[index] ?? 0) / whole]));
  return (atMs) => byMoment.get(atMs) ?? (atMs < (sorted[0] ?? 0) ? 0 : 1);
}
