import type { GatePolicy } from '../../contracts/approval.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { StandingGrant } from '../../contracts/statement.ts';
import type { TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import type { ActionFacts, ActionPermission } from '../../domain/approval/action-facts.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { type CoveredAction, type StandingPermission, type StandingReference, type StandingState, standingPermits } from '../../domain/approval/standing.ts';
import { type OpenedTokens, revealArguments } from '../../domain/redaction/revealed-arguments.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { destinationOf } from './gated-action.ts';

/** The most standing approvals of one tool and tenant that are looked at for a gate. */
const MAX_CANDIDATES = 100;
const MAX_GATES = 1_000;

/** An action, as this worker would carry it out. */
export interface StandingSubject {
  readonly runKey: RunKey;
  readonly snapshot: TaskSnapshot;
  readonly tool: ToolDefinition;
  /** As the model asked for it, from the accepted reply. */
  readonly args: JsonObject;
  readonly opened: OpenedTokens;
  readonly occurrence: number;
  readonly tenant: string;
  readonly requester: string;
  /** Every policy that asks for something here: the pinned one, this worker's own, the gate's. */
  readonly policies: readonly GatePolicy[];
}

/** Judges standing approvals over one action. */
export type StandingJudge = (state: StandingState, nowMs: number) => StandingPermission;

/** Every signature is verified here, and again before the action: what lies in the store is no authority. */
export async function standingJudge(ports: ActivityPorts, subject: StandingSubject): Promise<StandingJudge> {
  const { verifier, requesterMayDecideByDefault } = ports;
  const restoredAtMs = await ports.store.lastRestoredAtMs();
  const action = coveredAction(ports, subject);
  return (state, nowMs) => {
    const grants = state.record.grants.flatMap((signed): StandingGrant[] => {
      const said = verifier.readStatement(signed);
      return said?.statement === 'standingGrant' ? [said] : [];
    });
    return standingPermits(state, grants, action, { policies: subject.policies, requesterMayDecideByDefault, restoredAtMs }, nowMs);
  };
}

/** Values in place of tokens: what people wrote into terms is what they know. One that is erased meets no condition. */
function coveredAction(ports: ActivityPorts, { tool, tenant, snapshot, args, opened, occurrence, requester }: StandingSubject): CoveredAction {
  return {
    tool: tool.name,
    tenant,
    task: snapshot.task.name,
    destination: destinationOf(ports, tool),
    arguments: revealArguments(args, opened, ['*'], tool.parameters).args,
    volatile: tool.volatileArguments,
    occurrence,
    requester,
  };
}

/** The standing approval under which an action needs no gate that waits; null where people are to be asked. */
export async function standingFor(
  ports: ActivityPorts,
  { tenant, tool, policy }: { readonly tenant: string; readonly tool: string; readonly policy: GatePolicy },
  call: { readonly attemptId: string; readonly callIndex: number },
  subjectOf: () => Promise<StandingSubject>,
): Promise<StandingReference | null> {
  const { store } = ports;
  if (policy.standing === false) return null;
  const candidates = await store.listStandings({ tenant, tool, live: true, limit: MAX_CANDIDATES });
  if (candidates.length === 0) return null;
  const subject = await subjectOf();
  const judge = await standingJudge(ports, subject);
  const nowMs = await store.nowMs();
  for (const state of candidates) {
    const permission = judge(state, nowMs);
    if (permission.type === 'refused') continue;
    const { standingId } = state.record;
    return (await wasTried(ports, subject, call)) ? null : { standingId, grantedBy: permission.granters };
  }
  return null;
}

/** One that let this very call down before its action (used up, revoked, no longer enough) must not keep the run asking in circles. */
async function wasTried(
  { store }: ActivityPorts,
  { runKey }: StandingSubject,
  call: { readonly attemptId: string; readonly callIndex: number },
): Promise<boolean> {
  const gates = await store.listGates({ runKey, limit: MAX_GATES });
  return gates.some(({ standing, attemptId, callIndex }) => standing !== undefined && attemptId === call.attemptId && callIndex === call.callIndex);
}

/** Whether the gate's standing approval permits its action now, under the lock of the transaction that uses it. */
export function permitsByStanding(gate: GateRecord, facts: ActionFacts, judge: StandingJudge, asked: JsonObject, nowMs: number): ActionPermission {
  const refuse = (why: string): ActionPermission => ({
    type: 'refused',
    // What is approved no more is closed by the run, and people are asked.
    gateStatus: gate.status,
    message: `The standing approval ${gate.standing?.standingId} does not permit it: ${why}.`,
  });
  if (gate.status !== 'approved') return refuse(`the gate is ${gate.status}`);
  if (!facts.standing) return refuse('the store does not have it');
  if (!isAsAsked(gate, asked)) return refuse('the gate has other arguments than the model asked for');
  if (gate.decidedAtMs === null || nowMs >= gate.decidedAtMs + gate.policy.approvalValidForMs) return refuse('the gate was approved too long ago');
  const permission = judge(facts.standing, nowMs);
  return permission.type === 'refused' ? refuse(permission.why) : { type: 'permitted', standingMicro: permission.amountMicro };
}

/** Whether a gate that has an intent may be sent once more: by what is signed, and neither revoked nor over since. Its use is booked already. */
export function isProvenByStanding(gate: GateRecord, state: StandingState | null, judge: StandingJudge, asked: JsonObject, nowMs: number): boolean {
  if (!state || !isAsAsked(gate, asked)) return false;
  return judge({ ...state, uses: 0, totalMicro: 0 }, nowMs).type === 'permitted';
}

/** Nobody edits a gate that no person looks at. */
function isAsAsked(gate: GateRecord, asked: JsonObject): boolean {
  return canonicalDigest(gate.arguments) === canonicalDigest(asked);
}
