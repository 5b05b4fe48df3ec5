import { ENDED_KEPT_MS, type EndedSessionStore } from '../../../domain/identity/store-port.ts';
import { END_SESSION, FORGET_ENDED, IS_SESSION_ENDED } from '../ended-sessions.ts';
import type { Connection } from './connection.ts';

export function createEndedSessionStore(db: Connection): EndedSessionStore {
  return {
    endSession: async (sessionId, untilMs) =>
      db.write(() => {
        db.run(FORGET_ENDED, { beforeMs: db.now() - ENDED_KEPT_MS });
        return db.get(END_SESSION, { sessionId, untilMs }) !== undefined;
      }),
    isSessionEnded: async (sessionId) => db.read(() => db.get(IS_SESSION_ENDED, { sessionId }) !== undefined),
  };
}
