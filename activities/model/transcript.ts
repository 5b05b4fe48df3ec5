import type { TranscriptHead } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { TranscriptMessage } from '../../contracts/model.ts';
import type { Store } from '../../domain/store/port.ts';

/** Characters of transcripts that a process keeps, of all runs together; the runs that were asked for longest ago go first. */
const MAX_KEPT_CHARACTERS = 8_000_000;

interface Place {
  readonly head: TranscriptHead;
  readonly messages: readonly TranscriptMessage[];
  readonly characters: number;
}

class Transcripts {
  readonly #places = new Map<string, Place>();
  #characters = 0;

  last(run: string): Place | undefined {
    return this.#places.get(run);
  }

  keep(run: string, place: Place): void {
    this.#drop(run);
    this.#places.set(run, place);
    this.#characters += place.characters;
    for (const oldest of this.#places.keys()) {
      if (this.#characters <= MAX_KEPT_CHARACTERS) return;
      this.#drop(oldest);
    }
  }

  #drop(run: string): void {
    this.#characters -= this.#places.get(run)?.characters ?? 0;
    this.#places.delete(run);
  }
}

const kept = new WeakMap<Store, Transcripts>();

/**
 * What was said up to `head`. A step goes on from the place of the one before, and what is under a place never changes, so only
 * what came since is read; that the store still has the newest reply shows each time.
 * @throws TollgateError `journalMissing`.
 */
export async function transcriptAt(store: Store, runKey: RunKey, head: TranscriptHead): Promise<readonly TranscriptMessage[]> {
  const transcripts = kept.get(store) ?? new Transcripts();
  kept.set(store, transcripts);
  const run = `${runKey.agentRunId}/${runKey.firstExecutionRunId}`;
  const last = transcripts.last(run);
  const loaded = await store.loadTranscript(runKey, head, last?.head);
  if (loaded.type === 'missing')
    throw new TollgateError(
      'journalMissing',
      `The store lacks ${loaded.what}, which history names. Nothing was sent. Was the store restored from a backup? Cancel the run, or restore the newer store.`,
    );
  const before = loaded.isTail && last ? last : { messages: [], characters: 0 };
  const messages = [...before.messages, ...loaded.messages];
  transcripts.keep(run, { head, messages, characters: before.characters + charactersOf(loaded.messages) });
  return messages;
}

function charactersOf(messages: readonly TranscriptMessage[]): number {
  return messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
}
