import type { RunEnd } from '../../contracts/agent-run.ts';
import type { FailureType } from '../../contracts/failures.ts';
import type { ErrorVerdict, OutcomeClass } from '../../contracts/model.ts';

/** The end of a run whose step got no usable reply from any model of its chain. */
export function endOfFailedStep(verdict: ErrorVerdict, message: string): RunEnd {
  return { status: 'failed', failureType: failureTypeOf(verdict), message };
}

function failureTypeOf(verdict: ErrorVerdict): FailureType {
  switch (verdict.class) {
    case 'refusal':
      return 'modelRefused';
    case 'outputTruncated':
      return 'outputTruncated';
    default:
      return 'modelChainExhausted';
  }
}

/** Failures that speak of who should answer and not of what was asked: later, or elsewhere, the same request may be answered. */
const UNAVAILABLE: readonly OutcomeClass[] = [
  'rateLimited',
  'quotaExhausted',
  'overloaded',
  'serverError',
  'timeout',
  'connectionLost',
  'authentication',
  'permission',
  'modelNotFound',
];

export function isUnavailability(verdict: Pick<ErrorVerdict, 'class'>): boolean {
  return UNAVAILABLE.includes(verdict.class);
}
