import type { RedactionAction } from '../../contracts/redaction.ts';
import type { AppliedFinding } from './port.ts';

/** How often policy did something about a type: what is counted and published, never the values. */
export interface RedactionTrigger {
  readonly type: string;
  readonly action: RedactionAction;
  readonly count: number;
}

/** In the order in which each first occurred. */
export function countTriggers(findings: readonly AppliedFinding[]): RedactionTrigger[] {
  const counts = new Map<string, RedactionTrigger>();
  for (const { type, action } of findings) {
    const key = `${type} ${action}`;
    counts.set(key, { type, action, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}
