export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** The value that this share of all lies at or below (linear interpolation between the closest ranks). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Median and the quartiles around it (linear interpolation between the closest ranks). */
export function spreadOf(values: readonly number[]): Spread {
  const at = (share: number) => percentile(values, share);
  return { median: at(0.5), low: at(0.25), high: at(0.75), count: values.length };
}

/** `1.07 (1.02–1.15)`: the median with its quartiles. */
export function show({ median, low, high }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

/** The ratio of two measurements of the same round, round by round. */
export function ratios(of: readonly number[], to: readonly number[]): Spread {
  return spreadOf(of.map((value, round) => value / (to[round] ?? Number.NaN)));
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
