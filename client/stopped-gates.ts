import type { GateRecord } from '../domain/approval/gate.ts';
import { stopOver } from '../domain/approval/stop.ts';
import type { Store } from '../domain/store/port.ts';
import type { GateReport, StoppedReport } from './gate-report.ts';
import { reportStop, type StopReport } from './standing-report.ts';

const MAX_STOPS = 1_000;

/** Says at each gate whose action is still to come which switches hold it back. Nothing is read twice where nothing is stopped. */
export async function withStops(store: Store, gates: readonly { readonly gate: GateRecord; readonly report: GateReport }[]): Promise<GateReport[]> {
  const stops = (await store.listStops(MAX_STOPS)).filter(({ resume }) => resume === null);
  if (stops.length === 0) return gates.map(({ report }) => report);
  return await Promise.all(
    gates.map(async ({ gate, report }) => {
      if (gate.kind !== 'action' || (gate.status !== 'open' && gate.status !== 'approved')) return report;
      const holding = (await store.stopsFor(gate.runKey, gate.tool)).filter(({ resume }) => resume === null);
      return holding.length === 0 ? report : { ...report, stopped: holding.map(reportStop).map(toStopped) };
    }),
  );
}

/** The switches that hold a run's model calls back. */
export async function stopsOfRun(
  store: Store,
  run: { readonly runKey: GateRecord['runKey']; readonly task: string; readonly tenant: string },
): Promise<StoppedReport[]> {
  const stops = (await store.stopsFor(run.runKey, null)).filter(({ resume }) => resume === null);
  return stops
    .filter((stop) => stopOver([stop], { ...run, tool: null }, () => false) !== null)
    .map(reportStop)
    .map(toStopped);
}

function toStopped({ stopId, by, reason, at }: StopReport): StoppedReport {
  return { stopId, by, reason, at };
}
