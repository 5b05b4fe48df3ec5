import type { DecisionResult } from '../decision.ts';

/** 0 done; 1 the run or check failed, or the decision was refused; 2 could not be done; 3 inconclusive. */
export type ExitCode = 0 | 1 | 2 | 3;

/** What a run's status means for the one who waited for it. */
export function exitCodeOfRun(status: string): ExitCode {
  return status === 'completed' ? 0 : 1;
}

/** What an answer to a decision means for the one who decided. */
export function exitCodeOfDecision(result: DecisionResult): ExitCode {
  switch (result.type) {
    case 'accepted':
      return 0;
    case 'refused':
      return 1;
    case 'undecided':
      return 3;
  }
}

/** What a process of ours that ended means for the command that ran it. */
export function exitCodeOfProcess(code: number): ExitCode {
  return code === 0 || code === 1 || code === 3 ? code : 2;
}
