import { randomUUID } from 'node:crypto';
import type { RunEnd } from '../../../contracts/agent-run.ts';
import type { NanoUsd } from '../../../contracts/budget.ts';
import type { ActionDigest, AgentRunId, ApprovalId, AttemptId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { ModelReply } from '../../../contracts/model.ts';
import type { GateRecord, Vote } from '../../../domain/approval/gate.ts';
import type { AuditRecord, NewAttempt, NewRun, NewToolCall, Store } from '../../../domain/store/port.ts';

export const usd = (nanoUsd: number): NanoUsd => nanoUsd as NanoUsd;
export const END: RunEnd = { status: 'completed', message: 'The model gave its answer.' };
export const permitted = () => ({ type: 'permitted' }) as const;

export function runKey(agentRunId = `run-${randomUUID()}`): RunKey {
  return { agentRunId: agentRunId as AgentRunId, firstExecutionRunId: randomUUID() };
}

export function newRun(change: Partial<NewRun> = {}): NewRun {
  return {
    runKey: runKey(),
    task: 'support',
    tenant: 'acme',
    feature: 'chat',
    requester: 'alice',
    snapshotDigest: 'a'.repeat(64) as ContentDigest,
    limitNanoUsd: usd(1_000),
    parentRunKeys: [],
    ...change,
  };
}

/** Creates a run and answers its key. */
export async function startRun(store: Store, change: Partial<NewRun> = {}): Promise<RunKey> {
  const run = newRun(change);
  await store.createRun(run);
  return run.runKey;
}

export function newAttempt(key: RunKey, change: Partial<NewAttempt> = {}): NewAttempt {
  return {
    runKey: key,
    attemptId: randomUUID() as AttemptId,
    step: 1,
    ordinal: 1,
    mode: 'step',
    model: 'gpt-5-mini',
    provider: 'openai',
    endpoint: 'openai',
    requestDigest: 'd1',
    head: { attemptId: null, nodeIds: [] },
    reservedNanoUsd: usd(100),
    setAsideNanoUsd: usd(0),
    reservedTokens: 1_000,
    setAsideTokens: 0,
    dispatchDeadlineMs: 1_800_000_005_000,
    ...change,
  };
}

/** Reserves an attempt and answers its id. */
export async function reserve(store: Store, key: RunKey, change: Partial<NewAttempt> = {}): Promise<AttemptId> {
  const result = await store.reserveAttempt(newAttempt(key, change));
  if (result.type !== 'reserved') throw new Error(`expected a reservation, got ${result.type}`);
  return result.attempt.attemptId;
}

export function reply(text: string): ModelReply {
  return { text, refusal: null, toolCalls: [], finishReason: 'stop', responseId: null, responseModel: null, serviceTier: null };
}

export function newToolCall(key: RunKey, change: Partial<NewToolCall> = {}): NewToolCall {
  const attemptId = randomUUID() as AttemptId;
  return {
    runKey: key,
    callKey: `${attemptId}:0`,
    attemptId,
    callIndex: 0,
    tool: 'find_order',
    toolVersion: '1',
    effect: 'read',
    argumentsDigest: 'arguments-1',
    idempotencyKey: 'key-1',
    approvalId: null,
    occurrence: 0,
    dispatchDeadlineMs: 1_800_000_005_000,
    ...change,
  };
}

export function newVote(change: Partial<Vote> = {}): Vote {
  return { approver: 'bob', roles: ['approver'], verdict: 'approve', unverified: false, comment: null, atMs: 1, signedDecision: 'body.signature', ...change };
}

export function newGate(key: RunKey, change: Partial<GateRecord> = {}): GateRecord {
  return {
    runKey: key,
    approvalId: randomUUID() as ApprovalId,
    kind: 'action',
    status: 'open',
    actionDigest: 'b'.repeat(64) as ActionDigest,
    tool: 'refund',
    toolVersion: '1',
    destination: 'function refund',
    arguments: { order: 'W1', amount: 12.5, note: null },
    occurrence: 0,
    policy: { approvers: 1, role: 'approver', expiresAfterMs: 60_000, approvalValidForMs: 60_000 },
    policyVersion: 'p1',
    reason: 'The model asks for it.',
    requester: 'alice',
    attemptId: 'attempt-1' as AttemptId,
    callIndex: 0,
    aboutApprovalId: null,
    votes: [],
    createdAtMs: 1_800_000_000_000,
    expiresAtMs: 1_800_000_060_000,
    decidedAtMs: null,
    consumedAtMs: null,
    ...change,
  };
}

/** A gate as it stands after its approval. */
export function approvedGate(key: RunKey, change: Partial<GateRecord> = {}): GateRecord {
  return newGate(key, { status: 'approved', votes: [newVote()], decidedAtMs: 1_800_000_000_000, ...change });
}

/** The course of a run, which the store itself audits. */
const COURSE = /^(run\.(started|ended|reopened)|gate\.opened|attempt\.|call\.|audit\.)/;

/** The audit without the course of runs: what a test's own subject left in it. */
export async function auditNotes(store: Store, runKey?: RunKey): Promise<readonly AuditRecord[]> {
  return (await store.listAudit({ ...(runKey ? { runKey } : {}), limit: 100 })).filter(({ type }) => !COURSE.test(type));
}
