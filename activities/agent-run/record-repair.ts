import type { RecordRepairInput, RecordRepairOutcome, RepairEffect } from '../../contracts/agent-run.ts';
import type { ApprovalId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { Repair, RepairRefusal, RepairStatement } from '../../contracts/repair.ts';
import { nanoUsd } from '../../domain/budget/ledger.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import { describeRepair, judgeRepair, objectionToStatement } from '../../domain/repair/repair.ts';
import type { RepairChange } from '../../domain/repair/store-port.ts';
import type { ActivityPorts } from '../ports.ts';
import { runOfText } from '../redaction/run-of-text.ts';
import { loadRunFacts, loadSnapshot } from './snapshot.ts';

const UNSIGNED_VALID_FOR_MS = 3_600_000;
const MAX_GATES = 1_000;

type Said = Omit<RepairStatement, 'version' | 'statement' | 'issuedAtMs'> & { readonly isUnverified: boolean };
type Refused = Extract<RecordRepairOutcome, { type: 'refused' }>;
type Planned = { readonly type: 'planned'; readonly effect: RepairEffect; readonly change: RepairChange; readonly withdrawn: readonly ApprovalId[] };

/**
 * Verifies who repairs a run, makes the repair, and audits it whatever comes of it. The same repair again, from this activity's
 * own retry or from anybody else, is answered with what it did.
 */
export async function recordRepair(ports: ActivityPorts, input: RecordRepairInput): Promise<RecordRepairOutcome> {
  const { store } = ports;
  const { runKey } = input;
  const nowMs = await store.nowMs();
  const read = readStatement(ports, input, nowMs);
  if (read.type === 'refused') return await refuse(ports, input, null, read);
  const { said } = read;
  const run = await loadRunFacts(store, runKey);
  const reason = createScrubber(ports.redaction).text(said.reason, await runOfText(store, runKey));
  const shown: Said = { ...said, reason };
  const known = (await store.listRepairs(runKey)).some(({ repairId }) => repairId === said.repairId);
  const roles = ports.repairRoles ?? { operator: 'operator', raiseBudget: 'budget-owner' };
  const objection = objectionToStatement(known ? { ...said, expiresAtMs: nowMs } : said, {
    run: runKey,
    requester: run.requester,
    requesterMayDecide: ports.requesterMayDecideByDefault,
    roles,
    nowMs,
  });
  if (objection) return await refuse(ports, input, shown, objection);
  const planned = await plan(ports, input, said.repair);
  if (planned.type === 'refused' && known) return { type: 'unchanged', message: 'This very repair was made before.' };
  if (planned.type === 'refused') return await refuse(ports, input, shown, planned);
  const { repairId, repair, actor, isUnverified } = said;
  const made = await store.makeRepair({ runKey, repairId, repair, actor, reason, isUnverified }, planned.change, (state) => judgeRepair(state, repair), {
    type: `repair.${repair.type}`,
    runKey,
    actor,
    data: auditData(shown),
  });
  switch (made.type) {
    case 'refused':
      return await refuse(ports, input, shown, made);
    case 'unchanged':
      await store.appendAudit({ type: 'repair.unchanged', runKey, actor, data: { ...auditData(shown), message: made.message } });
      return made;
    case 'made':
    case 'known': {
      const by = { actor: made.repair.actor, reason: made.repair.reason };
      const message = `${made.repair.actor} ${describeRepair(made.repair.repair)}.`;
      return { type: 'made', repairId, effect: planned.effect, ...by, ledger: made.ledger, message, withdrawn: planned.withdrawn };
    }
  }
}

function readStatement(
  { verifier, unsignedSigner }: ActivityPorts,
  { request, runKey, requestId }: RecordRepairInput,
  nowMs: number,
): { readonly type: 'said'; readonly said: Said } | Refused {
  if (request.type === 'signed') {
    const said = verifier.readStatement(request.signed);
    if (said?.statement !== 'repair') return refusal('badSignature', 'The repair is not signed by a key that this worker knows.');
    if (said.repair.type !== request.of) return refusal('badSignature', 'What was signed is not what was sent.');
    return { type: 'said', said: { ...said, isUnverified: false } };
  }
  // Whoever may not sign here may not vouch for a stranger either.
  if (!unsignedSigner)
    return refusal(
      'unsignedNotAllowed',
      'This configuration counts only signed repairs. Repair with "tollgate runs …" or through the API, or paste what "tollgate runs sign-repair" prints.',
    );
  const { repair, reason } = request;
  const who = { actor: 'developer', roles: ['*'], isUnverified: true };
  return { type: 'said', said: { ...runKey, ...who, repairId: requestId, repair, reason, expiresAtMs: nowMs + UNSIGNED_VALID_FOR_MS } };
}

/** What the repair changes. For a step that is given up, the gates of its calls are withdrawn first: from then on none of its actions can begin. */
async function plan(ports: ActivityPorts, input: RecordRepairInput, repair: Repair): Promise<Planned | Refused> {
  const planned = (effect: RepairEffect, change: RepairChange, withdrawn: readonly ApprovalId[] = []): Planned => ({
    type: 'planned',
    effect,
    change,
    withdrawn,
  });
  switch (repair.type) {
    case 'pause':
    case 'resume':
      return planned({ type: repair.type }, { type: repair.type });
    case 'useModel': {
      const { candidates } = await loadSnapshot(ports.store, input.snapshotDigest);
      const candidateIndex = candidates.findIndex(({ model }) => model === repair.model);
      if (candidateIndex >= 0) return planned({ type: 'useModel', candidateIndex }, { type: 'none' }, await openGates(ports, input.runKey, 'unavailable'));
      const chain = candidates.map(({ model }) => model).join(', ');
      return refusal('modelNotAllowed', `The task's chain has no model "${repair.model}", and a run asks no other. It has: ${chain}.`);
    }
    case 'raiseBudget':
      return planned({ type: 'raiseBudget' }, { type: 'raise', nanoUsd: nanoUsd(repair.amountNanoUsd) }, await openGates(ports, input.runKey, 'budget'));
    case 'skipStep':
      return await planSkip(ports, input, repair.step, planned);
  }
}

async function planSkip(
  ports: ActivityPorts,
  { runKey, step, replyAttemptId }: RecordRepairInput,
  asked: number,
  planned: (effect: RepairEffect, change: RepairChange, withdrawn: readonly ApprovalId[]) => Planned,
): Promise<Planned | Refused> {
  const { store } = ports;
  if (asked !== step) return refusal('wrongStep', `The run is at step ${step}, and the repair names step ${asked}; nothing was changed.`);
  if (replyAttemptId === null)
    return refusal(
      'nothingToSkip',
      `Step ${step} has no tool call to give up: it waits for a model. "tollgate runs use-model", "raise-budget" or "cancel" may help.`,
    );
  const inDoubt = (tool: string) =>
    refusal('inDoubt', `The action "${tool}" of step ${step} was sent or may have been; what became of it is for its own gate to say. Nothing was changed.`);
  const calls = (await store.listToolCalls(runKey)).filter(({ attemptId }) => attemptId === replyAttemptId);
  const sent = calls.find(({ effect, status }) => effect === 'irreversible' && (status === 'intent' || status === 'inDoubt'));
  if (sent) return inDoubt(sent.tool);
  const gates = await store.listGates({ runKey, limit: MAX_GATES });
  const withdrawn: ApprovalId[] = [];
  for (const { approvalId, tool, kind } of gates.filter((gate) => isOfStep(gate, replyAttemptId))) {
    if (kind === 'inDoubt') return inDoubt(tool);
    const status = await store.closeGate(runKey, approvalId as ApprovalId, 'withdrawn');
    // Consumed while we looked: the transaction that wrote its intent was first.
    if (status === 'consumed') return inDoubt(tool);
    withdrawn.push(approvalId as ApprovalId);
  }
  return planned({ type: 'skipStep', replyAttemptId }, { type: 'skip', replyAttemptId }, withdrawn);
}

function isOfStep({ attemptId, status }: { readonly attemptId: string | null; readonly status: string }, replyAttemptId: AttemptId): boolean {
  return attemptId === replyAttemptId && (status === 'open' || status === 'approved' || status === 'withdrawn');
}

/** Those that the repair makes superfluous. */
async function openGates({ store }: ActivityPorts, runKey: RunKey, kind: 'budget' | 'unavailable'): Promise<readonly ApprovalId[]> {
  const gates = await store.listGates({ runKey, status: 'open', limit: MAX_GATES });
  return gates.filter((gate) => gate.kind === kind).map(({ approvalId }) => approvalId as ApprovalId);
}

function refusal(reason: RepairRefusal, message: string): Refused {
  return { type: 'refused', reason, message };
}

async function refuse(
  { store }: ActivityPorts,
  { runKey, request }: RecordRepairInput,
  said: Said | null,
  { reason, message }: { readonly reason: RepairRefusal; readonly message: string },
): Promise<Refused> {
  const asked: JsonObject = said ? auditData(said) : { repair: request.type === 'signed' ? request.of : request.repair.type };
  await store.appendAudit({ type: 'repair.refused', runKey, actor: said?.actor ?? 'unknown', data: { ...asked, refusal: reason, message } });
  return refusal(reason, message);
}

function auditData({ repairId, repair, reason, isUnverified }: Said): JsonObject {
  const { type, ...details } = repair;
  return { repairId, repair: type, ...details, reason, unverified: isUnverified };
}
