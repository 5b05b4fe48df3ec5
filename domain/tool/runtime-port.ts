import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { RunKey } from '../../contracts/ids.ts';

export interface ToolContext {
  readonly runKey: RunKey;
  readonly callKey: string;
  readonly idempotencyKey: string;
  readonly tenant: string;
  /** The call's place in the trace of its run, to be handed on as the header `traceparent`. */
  readonly traceparent?: string;
  /** Aborted when the call's own deadline passes or the run is cancelled. */
  readonly signal: AbortSignal;
  /** Set for an irreversible action: `prepare` was called, and the sending waits for nothing any more. */
  readonly atMostOnce?: true;
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
  /**
   * Completes a tool that somebody else describes, when a run is pinned. Absent: the definition is complete.
   * @throws TollgateError `toolNotOffered` where it is not there as declared.
   */
  pin?(tool: ToolDefinition, signal: AbortSignal): Promise<ToolDefinition>;
  /**
   * Whatever an irreversible action needs before it can be sent at once. Called before its approval is consumed, so what
   * it throws costs nothing. Absent: nothing is needed.
   */
  prepare?(tool: ToolDefinition, context: ToolContext): Promise<void>;
  dispatch(tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolDispatch>;
  /** Asks the destination whether the action under that key happened. Absent: it can't be asked. */
  reconcile?(tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolReconciliation>;
}
