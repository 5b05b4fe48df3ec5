import type { RunEnd } from '../../contracts/agent-run.ts';
import type { FailureType } from '../../contracts/failures.ts';
import type { ErrorVerdict } from '../../contracts/model.ts';

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
