/**
 * `refused`: the server answered that it did not take the request. `notTaken`: its HTTP side did. `open`: nobody knows, on
 * a connection that may still be good. `lost`: nobody knows, and the connection is of no more use.
 */
export type CallErrorKind = 'refused' | 'notTaken' | 'open' | 'lost';

/** What went wrong with a request to a server, short enough for Temporal's history. */
export class McpCallError extends Error {
  readonly kind: CallErrorKind;
  constructor(kind: CallErrorKind, message: string, cause: unknown) {
    super(message.slice(0, 1_000), { cause });
    this.kind = kind;
  }
}
