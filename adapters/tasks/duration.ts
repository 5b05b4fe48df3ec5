const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads `15s`, `30m`, `24h`, `7d` or `500ms` into milliseconds. Null where it is no such text. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})\s?(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return null;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
