import type { OpenGateInput, OpenGateOutcome } from '../../contracts/agent-run.ts';
import type { LedgerTotals } from '../../contracts/budget.ts';
import { invariant } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { GatePolicy } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { momentsOf, timesOf } from '../../domain/approval/moments.ts';
import type { AskedPolicy } from '../../domain/approval/policy.ts';
import type { StandingReference } from '../../domain/approval/standing.ts';
import { remainingNanoUsd } from '../../domain/budget/ledger.ts';
import { formatUsd } from '../../domain/budget/price.ts';
import type { RunRecord, Store, ToolCallRecord } from '../../domain/store/port.ts';
import { identifyingArguments, type OpenedTokens } from '../../domain/redaction/revealed-arguments.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { loadRun, loadSnapshot, toolOf } from '../agent-run/snapshot.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import { loadCall } from '../tool/loaded-call.ts';
import { askedPolicy } from './asked-policy.ts';
import { actionDigestOf, destinationOf, RAISE_BUDGET_TOOL, TAKE_OVER_TOOL } from './gated-action.ts';
import { standingFor } from './standing.ts';

type Subject = Pick<GateRecord, 'tool' | 'toolVersion' | 'destination' | 'arguments' | 'occurrence' | 'reason'> & { readonly volatile: readonly string[] };

/** Creates a gate with its digest. The same call again finds it as it is. Gates of the run that it no longer follows are withdrawn. */
export async function openGate(ports: ActivityPorts, input: OpenGateInput): Promise<OpenGateOutcome> {
  const { store } = ports;
  const { runKey, approvalId, kind } = input;
  const run = await loadRun(store, runKey);
  if (run.endedAtMs !== null) await store.reopenRun(runKey);
  const snapshot = await loadSnapshot(store, input.snapshotDigest);
  const { volatile, ...subject } = await subjectOf(ports, input, run, snapshot);
  const asked = askedPolicy(ports, snapshot, kind, { tool: subject.tool, tenant: run.tenant, arguments: subject.arguments });
  const { policy } = asked;
  const standing = await standingOf(ports, input, run, snapshot, subject, policy);
  const nowMs = await store.nowMs();
  const { escalatesAtMs, ...times } = timesOf(policy, nowMs);
  const described = {
    runKey,
    approvalId,
    kind,
    ...subject,
    policy,
    policyVersion: snapshot.policyVersion,
    terms: { revision: 0, escalatesAtMs, editors: [] },
    requester: run.requester,
  };
  const gate = await store.createGate({
    ...described,
    ...statusOf(standing, nowMs),
    ...(asked.tried ? { tried: asked.tried } : {}),
    actionDigest: actionDigestOf(described, volatile, await openedIn(ports, { runKey, tenant: run.tenant }, subject.arguments)),
    attemptId: input.attemptId,
    callIndex: input.callIndex,
    aboutApprovalId: input.aboutApprovalId ?? null,
    votes: [],
    createdAtMs: nowMs,
    ...times,
    consumedAtMs: null,
  });
  await store.withdrawGatesExcept(runKey, [...input.liveApprovalIds, approvalId]);
  await auditOpened(ports, gate, asked);
  return outcomeOf(gate);
}

/** Whom rules that are only tried out would have asked. The store audits the gate itself. */
async function auditOpened(
  { store }: ActivityPorts,
  { runKey, approvalId, kind, tool, actionDigest, policy, standing }: GateRecord,
  { tried }: AskedPolicy,
): Promise<void> {
  const audit = (type: string, data: JsonObject) =>
    store.appendAudit({ type, runKey, actor: 'tollgate', data: { approvalId, kind, tool, actionDigest, ...data } });
  if (standing) await audit('gate.approvedByStanding', { ...standing });
  if (tried) await audit('gate.shadowed', { wouldAsk: { ...tried } as JsonObject, asked: { ...policy } as JsonObject });
}

/** Open for people, unless a standing approval covers the action. */
function statusOf(standing: StandingReference | null, nowMs: number): Pick<GateRecord, 'status' | 'decidedAtMs' | 'standing'> {
  return standing ? { status: 'approved', decidedAtMs: nowMs, standing } : { status: 'open', decidedAtMs: null };
}

/** The standing approval that covers an action, where people gave one. What it permits is asked again, with its limits, when the action begins. */
async function standingOf(
  ports: ActivityPorts,
  input: OpenGateInput,
  { runKey, tenant, requester }: RunRecord,
  snapshot: TaskSnapshot,
  { occurrence, tool: asked }: Pick<GateRecord, 'occurrence' | 'tool'>,
  policy: GatePolicy,
): Promise<StandingReference | null> {
  const { attemptId, callIndex } = input;
  if (input.kind !== 'action' || attemptId === null || callIndex === null) return null;
  return await standingFor(ports, { tenant, tool: asked, policy }, { attemptId, callIndex }, async () => {
    const { tool, args } = await loadCall(ports.store, snapshot, runKey, attemptId, callIndex);
    const opened = await openedIn(ports, { runKey, tenant }, args);
    return { runKey, snapshot, tool, args, opened, occurrence, tenant, requester, policies: [policy] };
  });
}

function outcomeOf(gate: GateRecord): OpenGateOutcome {
  const { approvalId, actionDigest, expiresAtMs, status } = gate;
  const moments = momentsOf(gate);
  return {
    approvalId,
    actionDigest,
    expiresAtMs,
    summary: `${gate.tool} → ${gate.destination}`,
    ...(status === 'open' ? {} : { status }),
    ...(status === 'open' && Object.keys(moments).length > 0 ? { moments } : {}),
  };
}

async function subjectOf(ports: ActivityPorts, input: OpenGateInput, run: RunRecord, snapshot: TaskSnapshot): Promise<Subject> {
  switch (input.kind) {
    case 'action':
      return actionSubject(ports, input, run, snapshot);
    case 'inDoubt':
      return doubtSubject(ports, input, snapshot);
    case 'budget':
      return budgetSubject(ports, input, run, snapshot);
    case 'unavailable':
      return unavailableSubject(input, snapshot);
  }
}

async function actionSubject(ports: ActivityPorts, input: OpenGateInput, { tenant }: RunRecord, snapshot: TaskSnapshot): Promise<Subject> {
  invariant(input.attemptId !== null && input.callIndex !== null, 'an action gate belongs to a tool call');
  const { tool, args, replyText } = await loadCall(ports.store, snapshot, input.runKey, input.attemptId, input.callIndex);
  const opened = await openedIn(ports, { runKey: input.runKey, tenant }, args);
  const earlier = await earlierActions(ports.store, input.runKey, tool.name, args, opened);
  return {
    tool: tool.name,
    toolVersion: tool.version,
    destination: destinationOf(ports, tool),
    arguments: args,
    occurrence: earlier.length,
    reason: reasonFor(earlier, replyText ?? `The model asks for ${tool.name}.`),
    volatile: tool.volatileArguments,
  };
}

/** What came of it the last time, for whoever is asked to let it happen again. */
function describeEarlier({ status, result, startedAtMs, endedAtMs }: ToolCallRecord): string {
  const outcome = status === 'done' ? `: ${JSON.stringify(result)?.slice(0, 500)}` : '';
  return `last: ${status} at ${new Date(endedAtMs ?? startedAtMs).toISOString()}${outcome}`;
}

/** What the run has carried out of the very same, whatever it was called then. */
export async function earlierActions(store: Store, runKey: RunKey, tool: string, args: JsonObject, opened: OpenedTokens): Promise<readonly ToolCallRecord[]> {
  return await store.findActions(runKey, tool, canonicalDigest(identifyingArguments(args, opened)));
}

const REPEATED = /^This run has carried out exactly this action \d+ time\(s\) already \(last: [\s\S]*?\)\. Approving does it once more\. /;

/** Why an action is asked for, with what an approver must know of earlier ones. `why` may be the reason for other arguments. */
export function reasonFor(earlier: readonly ToolCallRecord[], why: string): string {
  const last = earlier.at(-1);
  const repeated = last
    ? `This run has carried out exactly this action ${earlier.length} time(s) already (${describeEarlier(last)}). Approving does it once more. `
    : '';
  return `${repeated}${why.replace(REPEATED, '')}`.slice(0, 4_000);
}

async function doubtSubject({ store }: ActivityPorts, input: OpenGateInput, snapshot: TaskSnapshot): Promise<Subject> {
  invariant(input.aboutApprovalId, 'an inDoubt gate names the gate whose action is in doubt');
  const about = await store.getGate(input.runKey, input.aboutApprovalId);
  invariant(about && about.attemptId !== null && about.callIndex !== null, `gate ${input.aboutApprovalId} of an action is in the store`);
  const call = await store.getToolCall(input.runKey, callKeyOf(about.attemptId, about.callIndex, about.approvalId));
  return {
    tool: about.tool,
    toolVersion: about.toolVersion,
    destination: about.destination,
    arguments: about.arguments,
    occurrence: about.occurrence,
    reason: `It is not known whether ${about.tool} happened. ${whyInDoubt(call)} ${howBegun(call, about)} Look at ${about.destination}. Approve = it was done; deny = it was not done. Nothing is sent either way.`,
    volatile: toolOf(snapshot, about.tool)?.volatileArguments ?? [],
  };
}

/** What to look for at the destination. */
function howBegun(call: ToolCallRecord | null, { votes }: GateRecord): string {
  if (!call) return '';
  const people = [...new Set(votes.filter(({ verdict }) => verdict === 'approve').map(({ approver }) => approver))].join(', ');
  const began = new Date(call.startedAtMs).toISOString();
  const latest = new Date(call.dispatchDeadlineMs).toISOString();
  return `Approved by ${people || 'nobody that is known'}; begun at ${began}, sent no later than ${latest} if at all, with the idempotency key ${call.idempotencyKey}.`;
}

function whyInDoubt(call: ToolCallRecord | null): string {
  const said = (call?.result as { readonly error?: unknown } | null)?.error;
  return typeof said === 'string' ? said.slice(0, 2_000) : 'It was begun, and no answer came.';
}

async function budgetSubject({ store }: ActivityPorts, input: OpenGateInput, run: RunRecord, snapshot: TaskSnapshot): Promise<Subject> {
  const { runKey, shortOfNanoUsd, shortOfTokens } = input;
  const [ledger, tokens] = await Promise.all([store.getLedger(runKey), store.getTokenLedger(runKey)]);
  invariant(ledger && shortOfNanoUsd !== undefined, 'a budget gate names what is missing');
  const money = raiseOf(ledger, shortOfNanoUsd, snapshot.task.raiseByNanoUsd ?? Math.ceil(run.limitNanoUsd / 2));
  const inTokens =
    tokens && shortOfTokens !== undefined ? raiseOf(tokens, shortOfTokens, snapshot.task.raiseByTokens ?? Math.ceil(tokens.limitNanoUsd / 2)) : null;
  // Where tokens are short, money is raised too only if it is short as well.
  const amountNanoUsd = inTokens && !money.isShort ? 0 : money.amount;
  const usd = { amountNanoUsd, amountUsd: formatUsd(amountNanoUsd), newLimitUsd: formatUsd(ledger.limitNanoUsd + amountNanoUsd) };
  const args: JsonObject = { ...usd, ...(inTokens && tokens ? { amountTokens: inTokens.amount, newLimitTokens: tokens.limitNanoUsd + inTokens.amount } : {}) };
  const ofMoney = `Of ${formatUsd(ledger.limitNanoUsd)} USD, ${formatUsd(ledger.settledNanoUsd)} are spent and ${formatUsd(ledger.heldNanoUsd)} are held for calls of unknown outcome.`;
  const ofTokens = tokens ? ` Of ${tokens.limitNanoUsd} tokens, ${tokens.settledNanoUsd} are used and ${tokens.heldNanoUsd} are held.` : '';
  const may = `cost ${formatUsd(shortOfNanoUsd)} USD${shortOfTokens === undefined ? '' : ` and take ${shortOfTokens} tokens`}`;
  return {
    tool: RAISE_BUDGET_TOOL,
    toolVersion: '1',
    destination: `budget of run ${runKey.agentRunId}`,
    arguments: args,
    occurrence: 0,
    reason: `The next model call may ${may}. ${ofMoney}${ofTokens}`,
    volatile: [],
  };
}

function raiseOf(totals: LedgerTotals, needed: number, usual: number): { readonly isShort: boolean; readonly amount: number } {
  const shortfall = Math.max(0, needed - remainingNanoUsd(totals));
  return { isShort: shortfall > 0, amount: Math.max(shortfall, usual, 1) };
}

function unavailableSubject({ runKey, why = '' }: OpenGateInput, { candidates, task }: TaskSnapshot): Subject {
  const shape = task.outputSchema ? ', as JSON that fits the output schema' : '';
  return {
    tool: TAKE_OVER_TOOL,
    toolVersion: '1',
    destination: `run ${runKey.agentRunId}`,
    arguments: { models: candidates.map(({ model }) => model) },
    occurrence: 0,
    reason: `No model can answer. ${why} Approve = try the models again; approve with a comment = the comment is the answer${shape}; deny = the run ends.`,
    volatile: [],
  };
}
