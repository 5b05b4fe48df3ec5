import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURES, TollgateError } from '../contracts/failures.ts';
import type { Scrubber } from '../domain/redaction/scrub.ts';

const LONGEST_STOPPED_WAIT_MS = 30_000;

/**
 * Runs an activity's body and gives what it throws a type that Temporal and people can act on: types that get better
 * with time are retried, the others end the run. An error of no known type is a defect and is retried. Messages and stack traces
 * go into history, so they are scrubbed first.
 */
export async function translated<T>(scrubber: Scrubber, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof TollgateError) throw toFailure(scrubber, error, error.type, !FAILURES[error.type].retryable);
    // Failures of Temporal's own (a cancellation) mean something to it.
    if (!(error instanceof Error) || /Cancel|CompleteAsync|ApplicationFailure/.test(error.name)) throw error;
    throw toFailure(scrubber, error, error.name, false);
  }
}

function toFailure(scrubber: Scrubber, error: Error, type: string, nonRetryable: boolean): ApplicationFailure {
  const failure = ApplicationFailure.create({ message: scrubber.text(error.message), type, nonRetryable, ...waitOf(type), ...causeOf(scrubber, error) });
  failure.stack = scrubber.text(error.stack ?? '');
  return failure;
}

/** What a person stopped may stay so for days: many runs that look every few seconds would be work for nothing. */
function waitOf(type: string): { nextRetryDelay?: number } {
  return type === 'stopped' ? { nextRetryDelay: Math.min(LONGEST_STOPPED_WAIT_MS, 1_000 * 2 ** Math.min(activityInfo().attempt - 1, 10)) } : {};
}

function causeOf(scrubber: Scrubber, { cause }: Error): { cause?: Error } {
  if (!(cause instanceof Error)) return {};
  const shown = new Error(scrubber.text(cause.message));
  shown.name = cause.name;
  shown.stack = scrubber.text(cause.stack ?? '');
  return { cause: shown };
}
