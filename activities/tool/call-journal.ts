import type { NewToolCall, Store, ToolCallOutcome, ToolCallRecord } from '../../domain/store/port.ts';

/** A read that is over sooner is journalled with its outcome, in one write: nobody could have looked for it before. */
const LOOKED_FOR_AFTER_MS = 100;

/** How one repeatable call is written down. */
export interface CallJournal {
  /** What an earlier execution left. */
  readonly known: ToolCallRecord | null;
  /** Runs the call itself. */
  during<T>(dispatch: () => Promise<T>): Promise<T>;
  finish(outcome: ToolCallOutcome): Promise<ToolCallRecord>;
}

/** What changes the world is written down before it is carried out. */
export async function callJournal(store: Store, row: NewToolCall): Promise<CallJournal> {
  const { call } = await store.beginToolCall(row);
  return { known: call, during: (dispatch) => dispatch(), finish: (outcome) => store.finishToolCall(row.runKey, row.callKey, outcome) };
}

/** A read can be carried out again, so it is written down when it is over, and before only where it takes long enough to be seen. */
export async function readJournal(store: Store, row: NewToolCall): Promise<CallJournal> {
  const known = await store.getToolCall(row.runKey, row.callKey);
  let tookMs = 0;
  return {
    known,
    during: async (dispatch) => {
      const beganAtMs = performance.now();
      // People can see it then. That it can't be written down is no reason not to read.
      const begin = setTimeout(() => store.beginToolCall(row).catch(() => undefined), LOOKED_FOR_AFTER_MS);
      try {
        return await dispatch();
      } finally {
        clearTimeout(begin);
        tookMs = performance.now() - beganAtMs;
      }
    },
    finish: (outcome) => store.journalRead(row, outcome, tookMs),
  };
}
