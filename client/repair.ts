import { createHash, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { TollgateError } from '../contracts/failures.ts';
import type { RunKey } from '../contracts/ids.ts';
import { type Repair, type RepairAnswer, type RepairRefusal, repairSchema } from '../contracts/repair.ts';
import { repairUpdates, type RepairPayload } from '../contracts/temporal.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import { formatUsd, parseUsd } from '../domain/budget/price.ts';
import type { RepairRecord } from '../domain/repair/store-port.ts';
import { type Identity, SIGNATURE_VALID_MS } from './decision.ts';
import { updateRun } from './run-update.ts';

const MAX_REASON_LENGTH = 1_000;
const REPAIR_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{7,99}$/;

/** A repair as people say it: money in USD. */
export type RepairAsked = Exclude<Repair, { readonly type: 'raiseBudget' }> | { readonly type: 'raiseBudget'; readonly amountUsd: number | string };

export interface RepairOptions {
  /** Why, for the audit. */
  readonly reason: string;
  /** The same id again for the same run is the same repair. Default: made up. */
  readonly repairId?: string;
}

/** What a repair came to. `undecided`: nobody answered in time, and it may still arrive. */
export type RepairResult = RepairAnswer | { readonly type: 'undecided'; readonly message: string };

/** A repair that is signed and not sent: what the input of a plain Temporal update carries. */
export interface SignedRepair {
  readonly agentRunId: string;
  /** The name of the update. */
  readonly update: Repair['type'];
  readonly payload: { readonly signed: string };
  /** After this moment it no longer counts as a new repair, ISO 8601. */
  readonly expiresAt: string;
}

/** @throws TollgateError `invalidInput` that lists everything wrong with it. */
export function toRepair(asked: RepairAsked, { reason, repairId }: RepairOptions): Repair {
  const amountNanoUsd = asked.type === 'raiseBudget' ? parseUsd(String(asked.amountUsd)) : null;
  const repair = asked.type === 'raiseBudget' ? { type: asked.type, amountNanoUsd } : asked;
  const parsed = repairSchema.safeParse(repair);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'repair'}: ${message}.`)),
    ...(reason.trim() !== '' && reason.length <= MAX_REASON_LENGTH ? [] : [`reason: a text of 1 to ${MAX_REASON_LENGTH} characters.`]),
    ...(repairId === undefined || REPAIR_ID.test(repairId) ? [] : ['repairId: letters, digits, "_", ".", ":" and "-", 8 to 100.']),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw new TollgateError('invalidInput', `Nothing was repaired. ${problems.join(' ')}`);
}

/** Signs a repair for `identity`, of this very run. */
export function signRepair(
  signer: DecisionSigner,
  identity: Identity,
  runKey: RunKey,
  repair: Repair,
  { reason, repairId = randomUUID() }: RepairOptions,
  nowMs: number,
): SignedRepair {
  const { agentRunId, firstExecutionRunId } = runKey;
  const expiresAtMs = nowMs + SIGNATURE_VALID_MS;
  const who = { actor: identity.name, roles: [...identity.roles] };
  const common = { version: 1, statement: 'repair', repairId, agentRunId, firstExecutionRunId } as const;
  const signed = signer.signStatement({ ...common, repair, reason, ...who, issuedAtMs: nowMs, expiresAtMs });
  return { agentRunId, update: repair.type, payload: { signed }, expiresAt: new Date(expiresAtMs).toISOString() };
}

/** What goes unsigned, which counts only where the configuration allows it. */
export function bareRepair(repair: Repair, reason: string): RepairPayload {
  const { type: _update, ...rest } = repair.type === 'raiseBudget' ? { type: repair.type, amountUsd: formatUsd(repair.amountNanoUsd) } : repair;
  return { ...rest, reason };
}

/**
 * Sends a repair as the update of its kind and waits for its answer. A rejection by the workflow is an answer, not an error.
 * @throws what the Temporal client throws where the server can't be reached.
 */
export async function sendRepair(client: Client, runKey: RunKey, type: Repair['type'], payload: RepairPayload): Promise<RepairResult> {
  const updateId = payload.signed === undefined ? randomUUID() : createHash('sha256').update(payload.signed).digest('hex');
  const end = await updateRun(client, runKey, repairUpdates[type], payload, updateId);
  switch (end.type) {
    case 'answered':
      return end.answer;
    case 'rejected':
      return { type: 'refused', reason: (end.reason as RepairRefusal | null) ?? 'malformed', message: end.message ?? 'The run rejected the repair.' };
    case 'noAnswer':
      return {
        type: 'undecided',
        message: 'No worker answered within 10 seconds; the repair may still arrive. Look again with "tollgate runs show", and start a worker if none runs.',
      };
    case 'runEnded':
      return { type: 'refused', reason: 'ended', message: `The run ${runKey.agentRunId} has ended; nothing was changed. Start a new one.` };
  }
}

/** A repair that was made, as people see it. */
export interface RepairReport {
  readonly repairId: string;
  readonly type: Repair['type'];
  readonly step?: number;
  readonly model?: string;
  readonly amountUsd?: string;
  readonly actor: string;
  readonly reason: string;
  /** True where nobody verified who it was. */
  readonly unverified: boolean;
  readonly at: string;
}

export function reportRepair({ repairId, repair, actor, reason, isUnverified, atMs }: RepairRecord): RepairReport {
  const said = repair.type === 'raiseBudget' ? { type: repair.type, amountUsd: formatUsd(repair.amountNanoUsd) } : repair;
  return { repairId, ...said, actor, reason, unverified: isUnverified, at: new Date(atMs).toISOString() };
}
