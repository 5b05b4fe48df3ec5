import { DefaultFailureConverter, type FailureConverter } from '@temporalio/common';
import { seals } from '../workflows/readable.ts';

const plain = new DefaultFailureConverter();
const encoding = new DefaultFailureConverter({ encodeCommonAttributes: true });

/**
 * What a failure says, and its stack trace, goes into a payload where payloads are sealed, so that it is sealed too. It is
 * bundled with the workflows, and used by the worker for activities.
 */
export const failureConverter: FailureConverter = {
  errorToFailure: (...args) => (seals() ? encoding : plain).errorToFailure(...args),
  failureToError: (...args) => plain.failureToError(...args),
};
