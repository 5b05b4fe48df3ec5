/** What a tool does to the world. `write` may be repeated with the same idempotency key; `irreversible` may not be repeated at all. */
export type Effect = 'read' | 'write' | 'irreversible';

/** The state of one tool call in the effect journal. */
export type ToolCallStatus = 'intent' | 'done' | 'failed' | 'inDoubt';
