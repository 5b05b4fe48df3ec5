import { ApiError, decideBatch } from './api.ts';
import type { Intent, Outcome } from './decision.ts';
import type { Decided } from './types.ts';

/** So many at once: each part is answered within seconds, and whoever waits sees how far it is. */
const PART = 20;

/**
 * Sends one decision about many actions, each with the digest of what was on the screen. Where a part gets no answer, what
 * became of it is not known, and the rest is not sent.
 */
export async function decideMany({ verdict, gates }: Intent, text: string, onProgress: (done: number) => void): Promise<Outcome['results']> {
  const results: { gate: Intent['gates'][number]; decided: Decided }[] = [];
  let trouble: ApiError | null = null;
  for (let at = 0; at < gates.length; at += PART) {
    const part = gates.slice(at, at + PART);
    const decided: readonly Decided[] | ApiError = trouble ? part.map(() => notSent) : await decidePart(verdict, part, text).catch(asTrouble);
    if (decided instanceof ApiError) {
      trouble = decided;
      results.push(...part.map((gate) => ({ gate, decided: unknown(decided) })));
    } else results.push(...part.map((gate, index) => ({ gate, decided: decided[index] ?? notSent })));
    onProgress(results.length);
  }
  return results;
}

async function decidePart(verdict: Intent['verdict'], gates: Intent['gates'], text: string): Promise<readonly Decided[]> {
  const decisions = gates.map(({ approvalId, actionDigest }) => ({ approvalId, actionDigest }));
  return await decideBatch({ verdict, decisions, ...(text ? { comment: text } : {}) });
}

function asTrouble(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}

const notSent: Decided = { type: 'undecided', message: 'Not sent, because the ones before it got no answer. It waits as before.' };

/** The API was not reached, or broke off: some of it may have been done. */
function unknown({ problem }: ApiError): Decided {
  return problem.status === 0 || problem.status >= 500
    ? { type: 'undecided', message: 'No answer came, so it is not known whether this was decided. Its gate shows it.' }
    : { type: 'refused', problem };
}
