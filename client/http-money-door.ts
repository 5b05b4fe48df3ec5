import { z } from 'zod';
import {
  boundSchema,
  heldSchema,
  openMoneySchema,
  RECONCILE_WAIT_MS,
  reconciledSchema,
  reconcilingSchema,
  wasRaisedSchema,
  writtenOffSchema,
} from './http/money-schemas.ts';
import { type HttpTransport, toTollgateError } from './http-transport.ts';
import type { MoneyDoor, ReconcileResult, WriteOffReport } from './money-door.ts';
import type { BoundReport, HeldReport, OpenMoneyReport } from './money-report.ts';

const RECONCILE_TIMEOUT_MS = RECONCILE_WAIT_MS + 10_000;

/** Money whose fate is open, by way of a running API. */
export function createHttpMoneyDoor(http: HttpTransport): MoneyDoor {
  return {
    openMoney: () => translated(async () => (await http.json(openMoneySchema, { path: '/v1/money' })) as OpenMoneyReport),
    held: (query = {}) => translated(async () => (await http.json(z.array(heldSchema), { path: '/v1/held', query: { ...query } })) as readonly HeldReport[]),
    bounds: () => translated(async () => (await http.json(z.array(boundSchema), { path: '/v1/bounds' })) as readonly BoundReport[]),
    resetBound: (model, endpoint, reason) =>
      translated(async () => (await http.json(wasRaisedSchema, { method: 'POST', path: '/v1/bounds/reset', body: { model, endpoint, reason } })).wasRaised),
    reconcile: ({ waitMs: _ours, ...request } = {}) =>
      translated(async () => {
        const answer = z.discriminatedUnion('type', [reconciledSchema, reconcilingSchema]);
        return (await http.json(answer, { method: 'POST', path: '/v1/reconcile', body: request, timeoutMs: RECONCILE_TIMEOUT_MS })) as ReconcileResult;
      }),
    writeOff: (attemptId, reason) =>
      translated(async () => {
        const path = `/v1/attempts/${encodeURIComponent(attemptId)}/write-off`;
        return (await http.json(writtenOffSchema, { method: 'POST', path, body: { reason } })) as WriteOffReport;
      }),
  };
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toTollgateError(error);
  }
}
