import type { AgentRunId } from '../../contracts/ids.ts';
import type { Permission } from './gate.ts';
import type { StandingState } from './standing.ts';
import type { StopRecord } from './stop.ts';

/** What the transaction that consumes an approval has read and locked, beside the gate. */
export interface ActionFacts {
  /** Switches whose scope fits the action, lifted ones too. */
  readonly stops: readonly StopRecord[];
  /** The standing approval that the gate names; null where it names none, or one that is not there. */
  readonly standing: StandingState | null;
  /** The run that an operator holds: the action's own, or one that it belongs to. */
  readonly pausedBy: AgentRunId | null;
}

export type ActionPermission =
  | { readonly type: 'permitted' /** What is used of the gate's standing approval. */; readonly standingMicro?: number }
  | Exclude<Permission, { readonly type: 'permitted' }>
  /** Nothing is wrong with the approval, which stays as it is. */
  | { readonly type: 'stopped'; readonly message: string }
  | { readonly type: 'paused'; readonly message: string };
