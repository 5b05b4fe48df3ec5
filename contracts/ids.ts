/** A string or number that the compiler keeps apart from others of its kind. It costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Names an agent run; equals the Temporal Workflow Id, which may be used again for a later run. */
export type AgentRunId = Brand<string, 'AgentRunId'>;
/** Names one try of one model on one step. */
export type AttemptId = Brand<string, 'AttemptId'>;
/** Names one gate. */
export type ApprovalId = Brand<string, 'ApprovalId'>;
/** The model's own name for a tool call; unique within one reply at most. */
export type ToolCallId = Brand<string, 'ToolCallId'>;
/** SHA-256, in hex, over the RFC 8785 form of what a gate asks for. */
export type ActionDigest = Brand<string, 'ActionDigest'>;
/** SHA-256, in hex, of a stored content's bytes. */
export type ContentDigest = Brand<string, 'ContentDigest'>;

/**
 * The identity that everything in the store is keyed by. A Workflow Id alone is not unique over time;
 * the run id of the first execution survives continue-as-new and reset.
 */
export interface RunKey {
  readonly agentRunId: AgentRunId;
  readonly firstExecutionRunId: string;
}
