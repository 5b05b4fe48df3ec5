import { randomUUID } from 'node:crypto';
import type { GatePolicy } from '../contracts/approval.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { Condition, StandingTerms, StopScope } from '../contracts/statement.ts';
import { holdsRole } from '../domain/approval/gate.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import type { StandingRecord, StandingState } from '../domain/approval/standing.ts';
import { toStopRecord } from '../domain/approval/stop.ts';
import type { Store } from '../domain/store/port.ts';
import type { Identity } from './decision.ts';
import { type DelegationReport, reportDelegation, reportStanding, reportStop, type StandingReport, type StopReport, termsDigestOf } from './standing-report.ts';

const MAX_LISTED = 1_000;
const DAY_MS = 86_400_000;
const LONGEST_STANDING_MS = 366 * DAY_MS;
const LONGEST_DELEGATION_MS = 90 * DAY_MS;

export interface StopRequest extends Partial<StopScope> {
  /** Whether model calls are held back too. */
  readonly models?: boolean;
  readonly reason: string;
}

export interface StandingRequest {
  readonly tool: string;
  readonly tenant: string;
  readonly task?: string;
  readonly destination?: string;
  readonly conditions?: readonly Condition[];
  readonly free?: readonly string[];
  readonly maxUses: number;
  readonly total?: { readonly argument: string; readonly atMost: number };
  /** ISO 8601. */
  readonly until: string;
  readonly comment?: string;
}

export interface DelegationRequest {
  readonly to: string;
  readonly role: string;
  /** Null: at gates of every tenant. */
  readonly tenant?: string | null;
  /** ISO 8601; default: now. */
  readonly from?: string;
  readonly until: string;
  readonly comment?: string;
}

export interface ListFilter {
  readonly tenant?: string;
  /** Also what is lifted, over or revoked. */
  readonly all?: boolean;
}

/** What people say beside decisions at single gates: stop switches, standing approvals, delegations. */
export interface StandingDoor {
  /** Holds irreversible actions back, and model calls where asked. Once it has answered, none begins that it holds. */
  throwStop(request: StopRequest): Promise<StopReport>;
  /** @throws TollgateError `notFound`. */
  liftStop(stopId: string, reason: string): Promise<StopReport>;
  stops(filter?: ListFilter): Promise<readonly StopReport[]>;
  /** Signs a new standing approval. @throws TollgateError `forbidden` where the person holds no role that a gate of the tool asks for. */
  grantStanding(request: StandingRequest): Promise<StandingReport>;
  /** Signs one that somebody else granted; the digest names what is signed. */
  signStanding(standingId: string, options: { readonly termsDigest: string; readonly comment?: string }): Promise<StandingReport>;
  standing(standingId: string): Promise<StandingReport>;
  standings(filter?: ListFilter): Promise<readonly StandingReport[]>;
  revokeStanding(standingId: string, reason: string): Promise<StandingReport>;
  delegate(request: DelegationRequest): Promise<DelegationReport>;
  delegations(filter?: ListFilter): Promise<readonly DelegationReport[]>;
  revokeDelegation(delegationId: string, reason: string): Promise<DelegationReport>;
}

export interface StandingDoorPorts {
  openStore(): Promise<Store>;
  signer(): Promise<DecisionSigner>;
  identity(): Identity;
  /** Masks what redaction finds in what people write. */
  scrub(text: string): Promise<string>;
  /** The policies that gates of a tool have in the project; none where the tool is not in it. */
  policiesOf(tool: string, task: string | undefined): Promise<readonly GatePolicy[]>;
}

export function createStandingDoor(ports: StandingDoorPorts): StandingDoor {
  return { ...stopDoor(ports), ...grantDoor(ports), ...delegationDoor(ports) };
}

function stopDoor({ openStore, signer, identity, scrub }: StandingDoorPorts): Pick<StandingDoor, 'throwStop' | 'liftStop' | 'stops'> {
  return {
    async throwStop({ tool = null, task = null, tenant = null, models = false, reason: said }) {
      if (models && tool !== null) throw new TollgateError('invalidInput', 'Model calls are of no tool: stop them for a task, a tenant or all.');
      const store = await openStore();
      const [reason, issuedAtMs] = [await scrub(demandWords('reason', said)), await store.nowMs()];
      const stop = {
        version: 1,
        statement: 'stop',
        stopId: randomUUID(),
        scope: { tool, task, tenant },
        models,
        reason,
        actor: identity().name,
        issuedAtMs,
      } as const;
      const record = toStopRecord(stop, (await signer()).signStatement(stop), issuedAtMs);
      await store.throwStop(record);
      return reportStop(record);
    },
    async liftStop(stopId, said) {
      const store = await openStore();
      const [reason, issuedAtMs] = [await scrub(demandWords('reason', said)), await store.nowMs()];
      const actor = identity().name;
      const signed = (await signer()).signStatement({ version: 1, statement: 'resume', stopId, reason, actor, issuedAtMs });
      const lifted = await store.liftStop(stopId, { signed, actor, reason, atMs: issuedAtMs });
      if (!lifted) throw noStop(stopId);
      return reportStop(lifted);
    },
    async stops({ tenant, all = false } = {}) {
      const stops = await (await openStore()).listStops(MAX_LISTED);
      const isShown = (of: string | null) => tenant === undefined || of === null || of === tenant;
      return stops.filter(({ resume, scope }) => (all || resume === null) && isShown(scope.tenant)).map(reportStop);
    },
  };
}

type GrantPart = 'grantStanding' | 'signStanding' | 'standing' | 'standings' | 'revokeStanding';

function grantDoor(ports: StandingDoorPorts): Pick<StandingDoor, GrantPart> {
  const { openStore, signer, identity } = ports;
  const show = async (standingId: string) => {
    const store = await openStore();
    const state = await store.getStanding(standingId);
    if (!state) throw noStanding(standingId);
    return await reportStandingState(store, state);
  };
  const sign = async (record: Pick<StandingRecord, 'standingId' | 'terms'>, said: string | undefined, issuedAtMs: number) => {
    const { name: granter, roles } = identity();
    const comment = said === undefined ? {} : { comment: await ports.scrub(demandWords('comment', said)) };
    const { standingId, terms } = record;
    return (await signer()).signStatement({ version: 1, statement: 'standingGrant', standingId, terms, granter, roles: [...roles], ...comment, issuedAtMs });
  };
  return {
    async grantStanding({ comment, until, conditions = [], free = [], maxUses, tool, tenant, task, destination, total }) {
      const store = await openStore();
      const nowMs = await store.nowMs();
      const untilMs = demandFuture('until', until, nowMs, LONGEST_STANDING_MS);
      const terms: StandingTerms = {
        ...{ tool, tenant, conditions: [...conditions], free: [...free], maxUses, untilMs },
        ...(task === undefined ? {} : { task }),
        ...(destination === undefined ? {} : { destination }),
        ...(total ? { total } : {}),
      };
      await demandMayGrant(ports, terms);
      const unsigned = { standingId: randomUUID(), terms };
      const record: StandingRecord = { ...unsigned, grants: [await sign(unsigned, comment, nowMs)], createdAtMs: nowMs };
      await store.createStanding(record, identity().name);
      return await show(record.standingId);
    },
    async signStanding(standingId, { termsDigest, comment }) {
      const store = await openStore();
      const state = await store.getStanding(standingId);
      if (!state) throw noStanding(standingId);
      const { terms } = state.record;
      if (termsDigestOf(standingId, terms) !== termsDigest)
        throw new TollgateError(
          'invalidInput',
          `The standing approval has other terms than "${termsDigest}" names. Look at it again: tollgate standing show ${standingId}`,
        );
      await demandMayGrant(ports, terms);
      await store.addStandingGrant(standingId, await sign(state.record, comment, await store.nowMs()), identity().name);
      return await show(standingId);
    },
    standing: show,
    async standings({ tenant, all = false } = {}) {
      const store = await openStore();
      const states = await store.listStandings({ ...(tenant === undefined ? {} : { tenant }), live: !all, limit: MAX_LISTED });
      return await Promise.all(states.map((state) => reportStandingState(store, state)));
    },
    async revokeStanding(standingId, reason) {
      await show(standingId);
      await revoke(ports, standingId, reason);
      return await show(standingId);
    },
  };
}

/** Whoever holds no role that any gate of the tool asks for would sign in vain, and is told so now. */
async function demandMayGrant({ policiesOf, identity }: StandingDoorPorts, { tool, task }: StandingTerms): Promise<void> {
  const policies = await policiesOf(tool, task);
  const { name, roles } = identity();
  if (policies.length === 0) return;
  if (policies.every(({ standing }) => standing === false))
    throw new TollgateError('forbidden', `The gate of "${tool}" allows no standing approvals (standing: false): a person looks at each action.`);
  if (!policies.some(({ role }) => holdsRole(roles, role)))
    throw new TollgateError(
      'forbidden',
      `The gate of "${tool}" asks for the role ${policies.map(({ role }) => `"${role}"`).join(' or ')}; ${name} holds ${roles.join(', ') || 'none'}.`,
    );
}

function delegationDoor(ports: StandingDoorPorts): Pick<StandingDoor, 'delegate' | 'delegations' | 'revokeDelegation'> {
  const { openStore, signer, identity, scrub } = ports;
  return {
    async delegate({ to, role, tenant = null, from, until, comment: said }) {
      const store = await openStore();
      const nowMs = await store.nowMs();
      const { name: delegator, roles } = identity();
      if (!holdsRole(roles, role))
        throw new TollgateError('forbidden', `${delegator} holds ${roles.join(', ') || 'no role'}, and can delegate nothing else; "${role}" was asked for.`);
      if (to === delegator) throw new TollgateError('invalidInput', 'Nobody stands for themselves: name somebody else with "to".');
      const fromMs = from === undefined ? nowMs : demandTime('from', from);
      const untilMs = demandFuture('until', until, Math.max(nowMs, fromMs), LONGEST_DELEGATION_MS);
      const comment = said === undefined ? {} : { comment: await scrub(demandWords('comment', said)) };
      const common = { version: 1, statement: 'delegation', delegationId: randomUUID(), tenant, delegator, to, role } as const;
      const delegation = { ...common, roles: [...roles], fromMs, untilMs, ...comment, issuedAtMs: nowMs };
      await store.createDelegation({ delegation, signed: (await signer()).signStatement(delegation) });
      return reportDelegation(delegation, null, nowMs);
    },
    async delegations({ tenant, all = false } = {}) {
      const store = await openStore();
      const records = await store.listDelegations({ ...(tenant === undefined ? {} : { tenant }), live: !all, limit: MAX_LISTED });
      const [nowMs, revoked] = [await store.nowMs(), await store.listRevoked(records.map(({ delegation }) => delegation.delegationId))];
      return records.map(({ delegation }) => reportDelegation(delegation, revoked.find(({ of }) => of === delegation.delegationId) ?? null, nowMs));
    },
    async revokeDelegation(delegationId, reason) {
      const store = await openStore();
      const record = await store.getDelegation(delegationId);
      if (!record) throw noDelegation(delegationId);
      await revoke(ports, delegationId, reason);
      return reportDelegation(record.delegation, (await store.listRevoked([delegationId]))[0] ?? null, await store.nowMs());
    },
  };
}

async function revoke({ openStore, signer, identity, scrub }: StandingDoorPorts, of: string, said: string): Promise<void> {
  const store = await openStore();
  const [reason, issuedAtMs] = [await scrub(demandWords('reason', said)), await store.nowMs()];
  const actor = identity().name;
  const signed = (await signer()).signStatement({ version: 1, statement: 'revocation', of, reason, actor, issuedAtMs });
  await store.revoke({ of, signed, actor, reason, atMs: issuedAtMs });
}

/** A standing approval with what is used of it now. */
export async function reportStandingState(store: Store, state: StandingState): Promise<StandingReport> {
  const [revocation = null] = await store.listRevoked([state.record.standingId]);
  return reportStanding(state, revocation, state.record.grants.map(granterOf), await store.nowMs());
}

/** For people; whether the signature holds is asked by the worker. */
function granterOf(signed: string): string {
  try {
    const said = JSON.parse(Buffer.from(signed.split('.')[0] ?? '', 'base64url').toString('utf8')) as { readonly granter?: unknown };
    return typeof said.granter === 'string' ? said.granter : '?';
  } catch {
    return '?';
  }
}

function demandWords(name: string, said: string): string {
  const words = said.trim();
  if (words.length > 0 && words.length <= 1_000) return words;
  throw new TollgateError('invalidInput', `"${name}" is a text of 1 to 1000 characters.`);
}

function demandTime(name: string, text: string): number {
  const atMs = Date.parse(text);
  if (Number.isSafeInteger(atMs) && atMs >= 0) return atMs;
  throw new TollgateError('invalidInput', `"${name}" is a time in ISO 8601, such as 2026-01-31T18:00:00Z, not "${text}".`);
}

function demandFuture(name: string, text: string, afterMs: number, longestMs: number): number {
  const atMs = demandTime(name, text);
  if (atMs > afterMs && atMs <= afterMs + longestMs) return atMs;
  throw new TollgateError(
    'invalidInput',
    `"${name}" is a time after ${new Date(afterMs).toISOString()}, at most ${longestMs / DAY_MS} days later, not "${text}".`,
  );
}

export function noStop(stopId: string): TollgateError {
  return new TollgateError('notFound', `There is no stop switch ${stopId}. "npx tollgate stops --all" shows those there are.`);
}

export function noStanding(standingId: string): TollgateError {
  return new TollgateError('notFound', `There is no standing approval ${standingId}. "npx tollgate standing list --all" shows those there are.`);
}

export function noDelegation(delegationId: string): TollgateError {
  return new TollgateError('notFound', `There is no delegation ${delegationId}. "npx tollgate delegations --all" shows those there are.`);
}
