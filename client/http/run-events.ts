import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '../run-report.ts';
import { hasEnded } from '../run-statuses.ts';

export const HEARTBEAT_MS = 15_000;

export interface EventOptions {
  readonly detail: 'changes' | 'reports';
  readonly heartbeatMs: number;
  /** Asked at each heartbeat: whether the caller still may listen. */
  readonly mayListen: () => Promise<boolean>;
}

/** A run as server-sent events: what changes, heartbeats in between, and at its end the whole of it as `result`. */
export async function* runEvents(reports: AsyncIterable<RunReport>, { detail, heartbeatMs, mayListen }: EventOptions): AsyncGenerator<string> {
  yield 'retry: 2000\n\n';
  let before: RunReport | null = null;
  for await (const report of withHeartbeats(reports, heartbeatMs)) {
    if (report === null) {
      if (!(await mayListen())) return;
      yield ': still here\n\n';
      continue;
    }
    const ended = hasEnded(report);
    if (detail === 'changes') yield* changes(before, report);
    else if (!ended) yield event('report', report);
    if (ended) return void (yield event('result', report));
    before = report;
  }
}

/** What differs between two looks at a run; everything at the first one. */
function* changes(before: RunReport | null, after: RunReport): Generator<string> {
  if (before?.status !== after.status) yield event('status', { agentRunId: after.agentRunId, status: after.status });
  for (const [index, step] of after.steps.entries()) if (differs(before?.steps[index], step)) yield event('step', step);
  if (differs(before?.ledger, after.ledger)) yield event('ledger', after.ledger);
  const known = new Map(before?.gates.map((gate) => [gate.approvalId, gate]));
  for (const gate of after.gates) if (differs(known.get(gate.approvalId), gate)) yield event('gate', gate);
}

function differs(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}

export function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The items of `source`, and null whenever nothing came for `everyMs`. */
async function* withHeartbeats<T>(source: AsyncIterable<T>, everyMs: number): AsyncGenerator<T | null> {
  const items = source[Symbol.asyncIterator]();
  let next = items.next();
  try {
    for (;;) {
      const stop = new AbortController();
      const silence = sleep(everyMs, null, { signal: stop.signal }).catch(() => null);
      const first = await Promise.race([next, silence]).finally(() => stop.abort());
      if (first === null) {
        yield null;
        continue;
      }
      if (first.done) return;
      yield first.value;
      next = items.next();
    }
  } finally {
    // Not awaited: the source ends once the caller's signal is aborted, and may wait until then.
    next.catch(() => undefined);
    items.return?.().catch(() => undefined);
  }
}
