import type { AgentRunId } from '../contracts/ids.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { Keyring } from '../domain/encryption/port.ts';
import { personHashes } from '../domain/erasure/person.ts';
import { DATA_CLASSES, type ErasableRun, type ErasureFilter } from '../domain/erasure/store-port.ts';
import type { ModelEndpoint } from '../domain/model/provider-port.ts';
import type { Store } from '../domain/store/port.ts';

const PAGE = 100;
const DELETE_TIMEOUT_MS = 10_000;
const MAX_CHILDREN = 1_000;

export type ErasureTarget =
  | { readonly type: 'tenant'; readonly tenant: string }
  | { readonly type: 'person'; readonly tenant: string; readonly person: string }
  | { readonly type: 'run'; readonly agentRunId: string };

export interface ErasurePorts {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly actor: string;
  /** Null where the configuration has no such endpoint (any more). */
  readonly endpoint: (name: string) => ModelEndpoint | null;
  /** How long Temporal keeps a history after its run's end; null where Temporal can't be asked. */
  readonly retentionMs: () => Promise<number | null>;
}

/** A stored response that is still at its provider, and why. */
export interface LeftResponse {
  readonly agentRunId: string;
  readonly responseId: string;
  readonly reason: string;
}

export interface ErasureReport {
  readonly erasedRuns: number;
  /** Runs that have not ended: nothing of them was removed. */
  readonly stillRunning: readonly string[];
  readonly responsesDeleted: number;
  readonly responsesLeft: readonly LeftResponse[];
  /** Whether the tenant's own keys are destroyed too; null where a tenant was not what was asked for. */
  readonly tenantKeysDestroyed: boolean | null;
  /** What Temporal still has, and until when. */
  readonly temporal: { readonly histories: number; readonly retentionDays: number | null; readonly removedBy: string | null };
  readonly isComplete: boolean;
}

/**
 * Removes a tenant, a person or a run: responses at their providers, then the keys, then what was not sealed. Each run is
 * whole before the next begins, and what is done already is not looked for again: after a crash the same call completes.
 * The audit and the ledger stay. @throws TollgateError `notFound` where there is no such run.
 */
export async function erase(ports: ErasurePorts, target: ErasureTarget): Promise<ErasureReport> {
  const filter = await filterOf(ports, target);
  const described = describeTarget(target, filter);
  await audit(ports, 'erasure.requested', described);
  const tally = new Tally();
  for await (const run of erasable(ports, filter, target.type === 'run')) await eraseOne(ports, run, tally);
  const tenantKeysDestroyed = target.type === 'tenant' ? await destroyTenant(ports, target.tenant, tally) : null;
  const report = tally.report(tenantKeysDestroyed, await ports.retentionMs());
  await audit(ports, report.isComplete ? 'erasure.completed' : 'erasure.incomplete', {
    ...described,
    erasedRuns: report.erasedRuns,
    stillRunning: report.stillRunning.length,
    responsesDeleted: report.responsesDeleted,
    responsesLeft: report.responsesLeft.length,
  });
  return report;
}

async function filterOf({ store, keyring }: ErasurePorts, target: ErasureTarget): Promise<Omit<ErasureFilter, 'limit'>> {
  switch (target.type) {
    case 'tenant':
      return { tenant: target.tenant, notRemoved: DATA_CLASSES };
    case 'person':
      return { tenant: target.tenant, person: personHashes(await keyring.keyedHash(target.tenant), target.person), notRemoved: DATA_CLASSES };
    case 'run': {
      const agentRunId = target.agentRunId as AgentRunId;
      if (await store.latestRun(agentRunId)) return { agentRunId, notRemoved: DATA_CLASSES };
      throw new TollgateError('notFound', `There is no run "${agentRunId}". "tollgate runs list" shows those there are.`);
    }
  }
}

/** For the audit, which must not name the person. */
function describeTarget(target: ErasureTarget, { person }: Omit<ErasureFilter, 'limit'>): JsonObject {
  return target.type === 'person' ? { type: target.type, tenant: target.tenant, personHash: person?.subject ?? null } : { ...target };
}

/** With the children of a run, which were told what it knew. */
async function* erasable(ports: ErasurePorts, filter: Omit<ErasureFilter, 'limit'>, withChildren: boolean): AsyncIterable<ErasableRun> {
  for (let after = 0; ; ) {
    const page = await ports.store.listErasable({ ...filter, after, limit: PAGE });
    for (const run of page) {
      // Before its parent: once that is erased, nobody would look for its children again.
      if (withChildren) yield* childrenOf(ports, run);
      yield run;
      after = run.position;
    }
    if (page.length < PAGE) return;
  }
}

async function* childrenOf(ports: ErasurePorts, { runKey }: ErasableRun): AsyncIterable<ErasableRun> {
  for (const { runKey: child } of await ports.store.listRuns({ parent: runKey, limit: MAX_CHILDREN }))
    for (const run of await ports.store.listErasable({ agentRunId: child.agentRunId, notRemoved: DATA_CLASSES, limit: PAGE })) {
      yield* childrenOf(ports, run);
      yield run;
    }
}

async function eraseOne(ports: ErasurePorts, run: ErasableRun, tally: Tally): Promise<void> {
  const { store, keyring } = ports;
  const { runKey, tenant } = run;
  if (run.endedAtMs === null) {
    tally.stillRunning.push(runKey.agentRunId);
    return;
  }
  const left = await deleteResponses(ports, run, tally);
  await keyring.destroy({ type: 'run', tenant, runKey });
  await store.eraseRun(runKey, DATA_CLASSES, { keepResponseIds: left });
  await audit(ports, 'erasure.run', { agentRunId: runKey.agentRunId, firstExecutionRunId: runKey.firstExecutionRunId, tenant });
  tally.erased.push(run.endedAtMs);
}

/** True where some are still there. */
async function deleteResponses({ store, endpoint }: ErasurePorts, { runKey }: ErasableRun, tally: Tally): Promise<boolean> {
  let isLeft = false;
  for (const { endpoint: name, responseId, isHeld } of await store.listStoredResponses(runKey)) {
    const reason = isHeld ? 'its cost is still held; reconcile or write it off first' : await deleteAt(endpoint(name), name, responseId);
    if (reason === null) tally.responsesDeleted += 1;
    else {
      isLeft = true;
      tally.responsesLeft.push({ agentRunId: runKey.agentRunId, responseId, reason });
    }
  }
  return isLeft;
}

async function deleteAt(endpoint: ModelEndpoint | null, name: string, responseId: string): Promise<string | null> {
  if (!endpoint?.deleteResponse) return `the configuration has no endpoint "${name}" that could delete it`;
  try {
    await endpoint.deleteResponse(responseId, { signal: AbortSignal.timeout(DELETE_TIMEOUT_MS) });
    return null;
  } catch (error) {
    return `the endpoint "${name}" did not delete it (${(error as Error).message.split('\n')[0]})`;
  }
}

/** Only where nothing needs them any more. */
async function destroyTenant({ keyring }: ErasurePorts, tenant: string, tally: Tally): Promise<boolean> {
  if (tally.stillRunning.length > 0) return false;
  await keyring.destroy({ type: 'tenant', tenant });
  return true;
}

async function audit({ store, actor }: ErasurePorts, type: string, data: JsonObject): Promise<void> {
  await store.appendAudit({ type, runKey: null, actor, data });
}

class Tally {
  readonly erased: number[] = [];
  readonly stillRunning: string[] = [];
  readonly responsesLeft: LeftResponse[] = [];
  responsesDeleted = 0;

  report(tenantKeysDestroyed: boolean | null, retentionMs: number | null): ErasureReport {
    const last = this.erased.reduce((latest, endedAtMs) => Math.max(latest, endedAtMs), 0);
    const removedBy = retentionMs === null || last === 0 ? null : new Date(last + retentionMs).toISOString();
    return {
      erasedRuns: this.erased.length,
      stillRunning: this.stillRunning,
      responsesDeleted: this.responsesDeleted,
      responsesLeft: this.responsesLeft,
      tenantKeysDestroyed,
      temporal: { histories: this.erased.length, retentionDays: retentionMs === null ? null : retentionMs / 86_400_000, removedBy },
      isComplete: this.stillRunning.length === 0 && this.responsesLeft.length === 0,
    };
  }
}
