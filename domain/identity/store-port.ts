/** How long a row is kept beyond its own time: clocks of the API's machines and of the store may differ. */
export const ENDED_KEPT_MS = 3_600_000;

/** Sessions and logins that were ended before their time, for every process of the API. */
export interface EndedSessionStore {
  /** Ends what has that id, for good. `untilMs`: when it would have ended by itself. Answers whether it was still going on. */
  endSession(sessionId: string, untilMs: number): Promise<boolean>;
  isSessionEnded(sessionId: string): Promise<boolean>;
}
