import type { RunKey } from '../contracts/ids.ts';
import { type TracedRun, traceOf } from './trace-ids.ts';

const MAX_RUNS = 10_000;

/** The trace ids of the runs that this process has had to do with, for its log lines. The oldest is forgotten where there are many. */
export class RunTraces {
  readonly #byKey = new Map<string, string>();
  readonly #byId = new Map<string, string>();

  note(run: TracedRun): string {
    const { traceId } = traceOf(run);
    keep(this.#byKey, keyOf(run.runKey), traceId);
    keep(this.#byId, run.runKey.agentRunId, traceId);
    return traceId;
  }

  of(runKey: RunKey): string | undefined {
    return this.#byKey.get(keyOf(runKey));
  }

  /** Of the newest run of that id: what Temporal's SDK logs names no other. */
  ofNewest(agentRunId: string): string | undefined {
    return this.#byId.get(agentRunId);
  }
}

const keyOf = ({ agentRunId, firstExecutionRunId }: RunKey): string => `${firstExecutionRunId} ${agentRunId}`;

function keep(known: Map<string, string>, key: string, traceId: string): void {
  if (known.size >= MAX_RUNS && !known.has(key)) known.delete(known.keys().next().value ?? '');
  known.set(key, traceId);
}
