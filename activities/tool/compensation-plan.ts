import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { ModelToolCall } from '../../contracts/model.ts';
import type { Store } from '../../domain/store/port.ts';
import { type CompensationPlan, PLAN_PREFIX } from '../../domain/tool/compensation.ts';

/** A plan as it lies among the run's nodes. The id of each call is the key of the call that it undoes. */
export interface StoredPlan {
  /** How the run ended. */
  readonly why: string;
  readonly plan: CompensationPlan;
  readonly calls: readonly ModelToolCall[];
}

/** Null where that id names no plan, or none that the store has. */
export async function readPlan(store: Store, runKey: RunKey, planId: AttemptId): Promise<StoredPlan | null> {
  if (!planId.startsWith(PLAN_PREFIX)) return null;
  const loaded = await store.loadTranscript(runKey, { attemptId: null, nodeIds: [planId] });
  const node = loaded.type === 'transcript' ? loaded.messages.at(-1) : undefined;
  if (node?.role !== 'assistant' || node.text === null) return null;
  return { ...(JSON.parse(node.text) as Omit<StoredPlan, 'calls'>), calls: node.toolCalls };
}
