import { ApplicationFailure } from '@temporalio/common';
import { FAILURES, TollgateError } from '../contracts/failures.ts';

/**
 * Runs an activity's body and gives what it throws a type that Temporal and people can act on: types that get better
 * with time are retried, the others end the run. An error of no known type is a defect and is retried.
 */
export async function translated<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof TollgateError)
      throw ApplicationFailure.create({ message: error.message, type: error.type, nonRetryable: !FAILURES[error.type].retryable, cause: error });
    throw error;
  }
}
