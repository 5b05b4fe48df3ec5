import type { GateMoments, GatePolicy } from '../../contracts/approval.ts';
import type { GateRecord } from './gate-record.ts';

/** A gate's own times, counted from the moment at which people first see these arguments. */
export function timesOf({ expiresAfterMs, remindBeforeMs, escalateTo }: GatePolicy, nowMs: number) {
  const expiresAtMs = nowMs + expiresAfterMs;
  return {
    expiresAtMs,
    escalatesAtMs: escalateTo ? nowMs + escalateTo.afterMs : null,
    ...(remindBeforeMs === undefined ? {} : { remindsAtMs: Math.max(nowMs, expiresAtMs - remindBeforeMs) }),
  };
}

/** The moments of a gate that are still to come. */
export function momentsOf({ remindsAtMs, remindedAtMs, escalatedAtMs, terms }: GateRecord): GateMoments {
  const escalatesAtMs = terms?.escalatesAtMs ?? null;
  return {
    ...(remindsAtMs === undefined || remindedAtMs !== undefined ? {} : { remindsAtMs }),
    ...(escalatesAtMs === null || escalatedAtMs !== undefined ? {} : { escalatesAtMs }),
  };
}

export type MomentEvent = 'reminded' | 'escalated';

/**
 * Writes down that a moment of an open gate has come, each once. Whether holders of another role may decide depends on the
 * time alone and not on this; those who are told of it do. Null where nothing has come.
 */
export function tend(gate: GateRecord, nowMs: number): { readonly gate: GateRecord; readonly events: readonly MomentEvent[] } | null {
  if (gate.status !== 'open' || nowMs >= gate.expiresAtMs) return null;
  const { remindsAtMs, escalatesAtMs } = momentsOf(gate);
  const isReminded = remindsAtMs !== undefined && nowMs >= remindsAtMs;
  const isEscalated = escalatesAtMs !== undefined && nowMs >= escalatesAtMs;
  if (!isReminded && !isEscalated) return null;
  return {
    gate: { ...gate, ...(isReminded ? { remindedAtMs: nowMs } : {}), ...(isEscalated ? { escalatedAtMs: nowMs } : {}) },
    events: [...(isReminded ? (['reminded'] as const) : []), ...(isEscalated ? (['escalated'] as const) : [])],
  };
}
