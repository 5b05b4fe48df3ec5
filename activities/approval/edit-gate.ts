import { z } from 'zod';
import type { DecisionRequest } from '../../contracts/approval.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ActionDigest, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { type EditProblem, type ProposedEdit, whyNotEditable, withArguments } from '../../domain/approval/edit.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { editContext } from '../../domain/redaction/sealing-context.ts';
import { loadRun, loadSnapshot, toolOf } from '../agent-run/snapshot.ts';
import { canonicalDigest } from '../digest.ts';
import { argumentsProblem } from '../model/reply-calls.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import { admit } from '../redaction/travelled.ts';
import { askedPolicy } from './asked-policy.ts';
import { actionDigestOf } from './gated-action.ts';
import { reasonFor, earlierActions } from './open-gate.ts';

/** The new arguments as they travel, and the values that redaction took out of them. */
export interface SentEdit {
  readonly editor: string;
  readonly arguments: JsonObject;
  readonly redaction: DecisionRequest['redaction'];
}

const SENDERS_FAULT: readonly string[] = ['unreadable', 'invalidInput'];

/**
 * What a gate would ask for with other arguments: redacted as everything that comes from outside, checked against the pinned
 * tool, under the policy that holds for them. Changes nothing..
 */
export async function proposeEdit(ports: ActivityPorts, runKey: RunKey, gate: GateRecord, sent: SentEdit): Promise<ProposedEdit | EditProblem> {
  const { store } = ports;
  const run = await loadRun(store, runKey);
  const snapshot = await loadSnapshot(store, run.snapshotDigest);
  const tool = toolOf(snapshot, gate.tool);
  if (!tool || whyNotEditable(gate) !== null) return { problem: 'This gate is for no tool of the task.' };
  const shown = actionDigestOf(gate, tool.volatileArguments, await openedIn(ports, { runKey, tenant: run.tenant }, gate.arguments));
  if (shown !== gate.actionDigest) return { problem: 'The gate is not as it was when it was opened. Deny it, and have the run ask again.' };
  const admitted = await takeIn(ports, { ...toRunOfText(runKey, run, snapshot) }, gate, sent);
  if ('problem' in admitted) return admitted;
  const args = admitted.args;
  const problem = argumentsProblem(tool, args);
  if (problem !== null) return { problem: `The arguments do not fit the schema of ${tool.name}. ${problem}` };
  if (canonicalDigest(args) === canonicalDigest(gate.arguments)) return { problem: 'These are the arguments that the gate shows already; approve or deny it.' };

  const opened = await openedIn(ports, { runKey, tenant: run.tenant }, args);
  const earlier = await earlierActions(store, runKey, tool.name, args, opened);
  const { policy, tried } = askedPolicy(ports, snapshot, gate.kind, { tool: tool.name, tenant: run.tenant, arguments: args });
  const edited = { editor: sent.editor, arguments: args, policy, tried, occurrence: earlier.length, reason: reasonFor(earlier, gate.reason) };
  const proposedAtMs = await store.nowMs();
  const actionDigest: ActionDigest = actionDigestOf(withArguments(gate, edited, proposedAtMs), tool.volatileArguments, opened);
  return { ...edited, actionDigest, proposedAtMs };
}

/** Tokens that the run gave out stay tokens; what is new is redacted, its values in the run's vault. */
async function takeIn(
  ports: ActivityPorts,
  run: ReturnType<typeof toRunOfText>,
  gate: GateRecord,
  sent: SentEdit,
): Promise<{ readonly args: JsonObject } | EditProblem> {
  const incoming = { place: 'toolArguments', context: editContext(gate.runKey.agentRunId, gate.actionDigest), travelled: sent.redaction, ofRun: true } as const;
  try {
    const { value, blocked } = await admit(ports, run, incoming, sent.arguments);
    return blocked.length === 0 ? { args: value } : { problem: `The arguments have ${blocked.join(', ')}, which redaction policy keeps out of tools.` };
  } catch (error) {
    const isTheirs = error instanceof SyntaxError || error instanceof z.ZodError || (error instanceof TollgateError && SENDERS_FAULT.includes(error.type));
    if (!isTheirs) throw error;
    return { problem: 'The values that were sealed beside the arguments do not open, or are not there.' };
  }
}
