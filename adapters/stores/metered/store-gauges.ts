import type { QuotaRecord, QuotaWindow } from '../../../domain/quota/store-port.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { GaugeValue } from '../../../telemetry/metrics.ts';
import { GEN_AI, METRIC, METRIC_LABEL, TOLLGATE } from '../../../telemetry/names.ts';

const MAX_WINDOWS = 200;
const BREAKER_VALUE = { closed: 0, halfOpen: 1, open: 2 } as const;

/** What goes on, read from the store: the same whichever process is asked. A store that does not answer is a value too. */
export async function readStoreGauges(store: Store): Promise<readonly GaugeValue[]> {
  try {
    const [pulse, money, breakers, quotas, windows, sinks] = await Promise.all([
      store.readPulse(),
      store.openMoney(),
      store.listBreakers(),
      store.listQuotas(),
      store.listQuotaWindows({ quotaId: null, limit: MAX_WINDOWS }),
      store.listSinks(),
    ]);
    const { held } = money;
    const age = (sinceMs: number | null) => (sinceMs === null ? 0 : Math.max(0, pulse.nowMs - sinceMs) / 1_000);
    return [
      { name: METRIC.storeUp, value: 1 },
      { name: METRIC.openRuns, value: pulse.openRuns },
      { name: METRIC.waitingRuns, value: pulse.waitingRuns },
      ...pulse.waitingGates.flatMap(({ kind, count, oldestCreatedAtMs, nextExpiresAtMs }): GaugeValue[] => {
        const labels = { [TOLLGATE.gateKind]: kind };
        return [
          { name: METRIC.openGates, value: count, labels },
          { name: METRIC.oldestGateAge, value: age(oldestCreatedAtMs), labels },
          { name: METRIC.nextGateExpiry, value: (nextExpiresAtMs - pulse.nowMs) / 1_000, labels },
        ];
      }),
      { name: METRIC.heldUsd, value: held.nanoUsd / 1e9 },
      { name: METRIC.heldAttempts, value: held.attempts },
      { name: METRIC.oldestHeldAge, value: age(held.oldestReservedAtMs) },
      ...breakers.map(({ endpoint, model, state }) => ({
        name: METRIC.breakerState,
        value: BREAKER_VALUE[state.status],
        labels: { [TOLLGATE.endpoint]: endpoint, [GEN_AI.requestModel]: model },
      })),
      ...windows.flatMap((window) => quotaValues(window, quotas)),
      ...sinks.flatMap(({ sink, pending, oldestAtMs, exported, dropped }): GaugeValue[] => {
        const labels = { [METRIC_LABEL.sink]: sink };
        return [
          { name: METRIC.sinkPending, value: pending, labels },
          { name: METRIC.sinkOldestAge, value: age(oldestAtMs), labels },
          { name: METRIC.sinkExported, value: exported, labels },
          { name: METRIC.sinkDropped, value: dropped, labels },
        ];
      }),
    ];
  } catch {
    return [{ name: METRIC.storeUp, value: 0 }];
  }
}

function quotaValues({ quotaId, tenant, totals }: QuotaWindow, quotas: readonly QuotaRecord[]): GaugeValue[] {
  const quota = quotas.find((candidate) => candidate.quotaId === quotaId);
  if (!quota) return [];
  const labels = {
    [METRIC_LABEL.quota]: quotaId,
    [METRIC_LABEL.per]: quota.per,
    [METRIC_LABEL.unit]: quota.unit === 'nanoUsd' ? 'usd' : 'tokens',
    [TOLLGATE.tenant]: tenant ?? quota.tenant ?? '',
    [TOLLGATE.feature]: quota.feature ?? '',
  };
  const scale = quota.unit === 'nanoUsd' ? 1e9 : 1;
  const used = totals.settledNanoUsd + totals.heldNanoUsd + totals.writtenOffNanoUsd;
  return [
    { name: METRIC.quotaUsed, value: used / scale, labels },
    { name: METRIC.quotaLimit, value: quota.limit / scale, labels },
  ];
}
