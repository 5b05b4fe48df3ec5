import { ENDED_KEPT_MS, type EndedSessionStore } from '../../../domain/identity/store-port.ts';
import { END_SESSION, FORGET_ENDED, IS_SESSION_ENDED } from '../ended-sessions.ts';
import type { Database } from './database.ts';

export function createEndedSessionStore(db: Database): EndedSessionStore {
  return {
    endSession: async (sessionId, untilMs) => {
      await db.all(FORGET_ENDED, { beforeMs: (await db.nowMs()) - ENDED_KEPT_MS });
      return (await db.get(END_SESSION, { sessionId, untilMs })) !== undefined;
    },
    isSessionEnded: async (sessionId) => (await db.get(IS_SESSION_ENDED, { sessionId })) !== undefined,
  };
}
