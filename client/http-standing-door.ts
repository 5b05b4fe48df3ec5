import { z } from 'zod';
import type { BatchAnswer, BatchDecision } from './decision-batch.ts';
import * as schemas from './http/standing-schemas.ts';
import { type HttpTransport, toTollgateError } from './http-transport.ts';
import type { StandingDoor } from './standing-door.ts';
import type { DelegationReport, StandingReport, StopReport } from './standing-report.ts';

/** A batch waits for each of its answers. */
const BATCH_TIMEOUT_MS = 300_000;

/** Stop switches, standing approvals, delegations and batches by way of a running API. */
export function createHttpStandingDoor(http: HttpTransport): StandingDoor & { decideBatch(batch: BatchDecision): Promise<readonly BatchAnswer[]> } {
  const get = <Schema extends z.ZodType>(schema: Schema, path: string, query: object = {}) =>
    translated(() => http.json(schema, { path, query: { ...query } as Record<string, string> }));
  const post = <Schema extends z.ZodType>(schema: Schema, path: string, body: object) => translated(() => http.json(schema, { method: 'POST', path, body }));
  const at = (path: string, id: string, then = '') => `${path}/${encodeURIComponent(id)}${then}`;
  const [stops, standings, delegations] = ['/v1/stops', '/v1/standing-approvals', '/v1/delegations'] as const;
  const allOf = ({ all = false }: { readonly all?: boolean } = {}) => ({ all: String(all) });
  return {
    throwStop: async (request) => (await post(schemas.stopSchema, stops, request)) as StopReport,
    liftStop: async (stopId, reason) => (await post(schemas.stopSchema, at(stops, stopId, '/resume'), { reason })) as StopReport,
    stops: async (filter) => (await get(z.array(schemas.stopSchema), stops, allOf(filter))) as StopReport[],
    grantStanding: async (request) => (await post(schemas.standingSchema, standings, request)) as StandingReport,
    signStanding: async (standingId, options) => (await post(schemas.standingSchema, at(standings, standingId, '/signatures'), options)) as StandingReport,
    standing: async (standingId) => (await get(schemas.standingSchema, at(standings, standingId))) as StandingReport,
    standings: async (filter) => (await get(z.array(schemas.standingSchema), standings, allOf(filter))) as StandingReport[],
    revokeStanding: async (standingId, reason) => (await post(schemas.standingSchema, at(standings, standingId, '/revoke'), { reason })) as StandingReport,
    delegate: async (request) => (await post(schemas.delegationSchema, delegations, request)) as DelegationReport,
    delegations: async (filter) => (await get(z.array(schemas.delegationSchema), delegations, allOf(filter))) as DelegationReport[],
    revokeDelegation: async (delegationId, reason) =>
      (await post(schemas.delegationSchema, at(delegations, delegationId, '/revoke'), { reason })) as DelegationReport,
    decideBatch: (batch) =>
      translated(
        async () =>
          (await http.json(schemas.batchSchema, {
            method: 'POST',
            path: '/v1/approvals/decide-batch',
            body: batch,
            timeoutMs: BATCH_TIMEOUT_MS,
          })) as BatchAnswer[],
      ),
  };
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toTollgateError(error);
  }
}
