/** The member of `known` that `seen` was probably meant to be; null where none is near enough. */
export function nearest(seen: string, known: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(seen.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(seen.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "…"?`, or the list of what there is. */
export function suggest(seen: string, known: readonly string[]): string {
  const guess = nearest(seen, known);
  if (guess) return `Did you mean "${guess}"?`;
  return known.length > 0 ? `There is: ${known.join(', ')}.` : 'There is none.';
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
