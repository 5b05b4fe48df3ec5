import { log, setHandler } from '@temporalio/workflow';
import type { RunPosition, UserMessage } from '../../contracts/agent-run.ts';
import { addUserMessageSignal } from '../../contracts/temporal.ts';
import { receiveMessage } from '../../domain/agent-run/position.ts';
import { readUserMessage } from '../../domain/agent-run/user-message.ts';
import { journal } from '../activity-options.ts';
import type { RunState } from './run-state.ts';
import { readable } from '../readable.ts';

/** Messages to a run, in the order in which they came. The same id again is no new message, also after continue-as-new. */
export class Mailbox {
  readonly #taken: Set<string>;
  readonly #waiting: UserMessage[] = [];

  constructor(takenIds: readonly string[]) {
    this.#taken = new Set(takenIds);
  }

  get hasMail(): boolean {
    return this.#waiting.length > 0;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get takenIds(): readonly string[] {
    return [...this.#taken];
  }

  /** Keeps a message, at most `room` more. */
  post(message: UserMessage, room: number): 'kept' | 'known' | 'full' {
    if (this.#taken.has(message.messageId)) return 'known';
    if (room < 1) return 'full';
    this.#taken.add(message.messageId);
    this.#waiting.push(message);
    return 'kept';
  }

  /** The oldest message. It counts as waiting until it is put away. */
  get first(): UserMessage | undefined {
    return this.#waiting[0];
  }

  putFirstAway(): void {
    this.#waiting.shift();
  }
}

/** Registers the signal by which people speak to a running run. What is no message, whoever sent it, is dropped and never fails a workflow task. */
export function handleMessages(run: RunState): void {
  setHandler(addUserMessageSignal, (payload: unknown) => {
    const message = readUserMessage(payload);
    const kept = message ? run.mailbox.post(message, run.messageRoom) : 'malformed';
    if (kept === 'malformed' || kept === 'full') log.warn('dropped a message to the run', { reason: kept, messageId: message?.messageId });
  });
}

/**
 * Writes the messages that have come; `receive` says what each does to the run. They enter the transcript with the
 * next model call, never between a reply's calls and their results.
 */
export async function takeMessages(
  run: RunState,
  receive = (position: RunPosition, nodeId: string) => receiveMessage(position, nodeId, run.task.maxSteps),
): Promise<void> {
  for (let message = run.mailbox.first; message; message = run.mailbox.first) {
    const written = await journal.addMessage.executeWithOptions({ summary: readable(`message ${message.messageId}`) }, [
      { version: 1, runKey: run.runKey, message },
    ]);
    run.mailbox.putFirstAway();
    if (written.type === 'added') run.move((position) => receive(position, written.nodeId));
    else log.warn('refused a message to the run', { reason: written.message });
  }
}
