import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { RunKey } from '../../contracts/ids.ts';

export interface ToolContext {
  readonly runKey: RunKey;
  readonly callKey: string;
  readonly idempotencyKey: string;
  readonly tenant: string;
  /** Aborted when the call's own deadline passes or the run is cancelled. */
  readonly signal: AbortSignal;
}

/** What one dispatch of a tool came to. */
export type ToolDispatch =
  | { readonly type: 'done'; readonly result: JsonValue }
  /** Certainly not done; the model is told why. */
  | { readonly type: 'notDone'; readonly message: string }
  /** Nobody knows: timeout, lost connection, 5xx. A read or write is tried again, an irreversible action is in doubt. */
  | { readonly type: 'unknown'; readonly message: string };

/** What the destination says of an earlier dispatch. */
export type ToolReconciliation =
  | { readonly type: 'done'; readonly result: JsonValue }
  | { readonly type: 'notDone'; readonly honoursIdempotencyKey: boolean }
  | { readonly type: 'unknown' };

export interface ToolBindingRuntime {
  /** Where the action goes, as the approver sees it and the digest binds it. */
  destination(tool: ToolDefinition): string;
  dispatch(tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolDispatch>;
  /** Asks the destination whether the action under that key happened. Absent: it can't be asked. */
  reconcile?(tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolReconciliation>;
}
