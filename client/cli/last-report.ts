import { TollgateError } from '../../contracts/failures.ts';
import type { RunReader, RunReference } from '../run-reader.ts';
import type { RunReport } from '../run-report.ts';

/** Follows a run to its end, shows each state of it, and answers the last one. */
export async function lastReport(runs: RunReader, run: RunReference, onChange: (report: RunReport) => void): Promise<RunReport> {
  let last: RunReport | null = null;
  for await (const report of runs.follow(run)) {
    onChange(report);
    last = report;
  }
  if (last) return last;
  throw new TollgateError('invariantBroken', `Nothing was heard of the run ${run.agentRunId}. This is a defect in Tollgate; please report it.`);
}
