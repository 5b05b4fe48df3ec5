import type { Store } from '../../../domain/store/port.ts';

/** What spans are made of. */
export type SpanReads = Pick<
  Store,
  | 'getRun'
  | 'getAttempt'
  | 'getToolCall'
  | 'getGate'
  | 'getLedger'
  | 'stepTimes'
  | 'listAttempts'
  | 'listToolCalls'
  | 'listSkips'
  | 'listGates'
  | 'loadTranscript'
>;

/** A store that answers a question of these once, and then the same again: for a short while only, and where nothing is written. */
export function readingOnce(store: Store): SpanReads {
  return {
    getRun: once(store.getRun),
    getAttempt: once(store.getAttempt),
    getToolCall: store.getToolCall,
    getGate: store.getGate,
    getLedger: store.getLedger,
    stepTimes: once(store.stepTimes),
    listAttempts: store.listAttempts,
    listToolCalls: store.listToolCalls,
    listSkips: once(store.listSkips),
    listGates: once(store.listGates),
    loadTranscript: store.loadTranscript,
  };
}

function once<Question extends readonly unknown[], Answer>(ask: (...question: Question) => Promise<Answer>): (...question: Question) => Promise<Answer> {
  const answers = new Map<string, Promise<Answer>>();
  return (...question) => {
    const key = JSON.stringify(question);
    const known = answers.get(key) ?? ask(...question);
    answers.set(key, known);
    return known;
  };
}
