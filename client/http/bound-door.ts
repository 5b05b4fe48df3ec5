import { createHash } from 'node:crypto';
import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId, ApprovalId, AttemptId } from '../../contracts/ids.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { Store } from '../../domain/store/port.ts';
import { noSuchRun, unknownGate } from '../agent-client.ts';
import { reportGate } from '../gate-report.ts';
import { isTheirs } from './their-gates.ts';
import type { StoredTask } from '../known-task.ts';
import { noSuchAttempt } from '../money-door.ts';
import { noSuchGate } from '../run-reader.ts';
import type { RunsDoor } from '../runs-door.ts';
import type { StartOptions } from '../start-request.ts';
import { decideAll } from '../decision-batch.ts';
import type { Caller } from './auth.ts';
import { bindStandingDoor } from './bound-standing-door.ts';
import { delegatedTo, withDelegated } from './delegated.ts';

/**
 * A door that shows a caller only what that caller may know of: runs and gates of its tenant, and no workflow that is no
 * run of ours. Everything else is not there, in the very words for what is not there.
 */
export function bindDoor(door: RunsDoor, store: Store, caller: Caller): RunsDoor {
  const { tenant } = caller;
  const isVisible = (of: string | null | undefined) => of !== null && of !== undefined && (tenant === null || of === tenant);

  /** @throws TollgateError `notFound`. */
  async function demandRun(agentRunId: string): Promise<void> {
    const run = await store.latestRun(agentRunId as AgentRunId);
    const of = run ? run.tenant : (await door.describe(agentRunId, { view: false })).tenant;
    if (!isVisible(of)) throw noSuchRun(agentRunId);
  }

  async function demandExecution(agentRunId: string, firstExecutionRunId: string | undefined): Promise<void> {
    const run = firstExecutionRunId === undefined ? null : await store.getRun({ agentRunId: agentRunId as AgentRunId, firstExecutionRunId });
    if (!run) return await demandRun(agentRunId);
    if (!isVisible(run.tenant)) throw noSuchRun(agentRunId);
  }

  /** Somebody for whom others have delegated a role sees what that role is asked. What they decide is signed with their own roles. */
  async function seer(): Promise<Pick<Caller, 'isPerson' | 'identity'>> {
    return caller.isPerson ? withDelegated(caller, await delegatedTo(store, caller)) : caller;
  }

  async function visibleGate(approvalId: string): Promise<GateRecord | null> {
    const gate = await store.findGate(approvalId as ApprovalId);
    return gate && isVisible((await store.getRun(gate.runKey))?.tenant) && isTheirs(await seer(), reportGate(gate), Date.now()) ? gate : null;
  }

  async function afterLooking<T>(agentRunId: string, act: () => Promise<T>): Promise<T> {
    await demandRun(agentRunId);
    return await act();
  }

  return {
    start: async (task, input, options = {}) => await door.start(permittedTask(caller, task), input, tenantOptions(tenant, options)),
    show: (agentRunId) => afterLooking(agentRunId, () => door.show(agentRunId)),
    describe: (agentRunId, options) => afterLooking(agentRunId, () => door.describe(agentRunId, options)),
    cancel: (agentRunId) => afterLooking(agentRunId, () => door.cancel(agentRunId)),
    repair: (agentRunId, repair, options) => afterLooking(agentRunId, () => door.repair(agentRunId, repair, options)),
    signRepair: (agentRunId, repair, options) => afterLooking(agentRunId, () => door.signRepair(agentRunId, repair, options)),
    addUserMessage: (agentRunId, text, options) => afterLooking(agentRunId, () => door.addUserMessage(agentRunId, text, options)),
    usage: async (query = {}) => {
      if (tenant !== null && query.tenant !== undefined && query.tenant !== tenant)
        throw new TollgateError('forbidden', `This key sees what the tenant "${tenant}" used only, and the request asks for another.`);
      return await door.usage({ ...query, ...(tenant === null ? {} : { tenant }) });
    },
    feedback: (agentRunId, feedback) => afterLooking(agentRunId, () => door.feedback(agentRunId, feedback)),
    async *follow(run, options) {
      await demandExecution(run.agentRunId, run.firstExecutionRunId);
      yield* door.follow(run, options);
    },
    openMoney: (filter = {}) => door.openMoney({ ...filter, ...(tenant === null ? {} : { tenant }) }),
    async held(query = {}) {
      if (query.agentRunId !== undefined) await demandRun(query.agentRunId);
      return await door.held({ ...query, ...(tenant === null ? {} : { tenant }) });
    },
    async bounds() {
      demandEveryTenant(caller, 'sees the bounds of models, which are shared by all tenants');
      return await door.bounds();
    },
    async resetBound(model, endpoint, reason) {
      demandEveryTenant(caller, 'changes the bounds of models, which are shared by all tenants');
      return await door.resetBound(model, endpoint, reason);
    },
    async reconcile(request = {}) {
      if (request.agentRunId === undefined) demandEveryTenant(caller, 'reconciles the money of all tenants');
      else await demandRun(request.agentRunId);
      return await door.reconcile(request);
    },
    async writeOff(attemptId, reason) {
      if (caller.isPerson && !caller.scopes.includes('start'))
        throw new TollgateError('forbidden', 'Approving is no licence to give money up: that needs the role of TOLLGATE_OIDC_START_ROLE, or a key.');
      if (!isVisible((await store.findAttempt(attemptId as AttemptId))?.tenant)) throw noSuchAttempt(attemptId);
      return await door.writeOff(attemptId, reason);
    },
    list: async (filter = {}) => {
      if (tenant !== null && filter.tenant !== undefined && filter.tenant !== tenant) return [];
      return await door.list({ ...filter, ...(tenant === null ? {} : { tenant }) });
    },
    ...bindStandingDoor(door, store, caller),
    async decideBatch(batch) {
      return await decideAll(this, batch);
    },
    async pendingApprovals({ limit, ...filter } = {}) {
      // Filtered before it is cut: what is somebody else's takes no place of theirs.
      const ofTenant = { ...filter, ...(tenant === null ? {} : { tenant }) };
      if (!caller.isPerson) return await door.pendingApprovals({ ...ofTenant, ...(limit === undefined ? {} : { limit }) });
      const [who, gates] = await Promise.all([seer(), door.pendingApprovals(ofTenant)]);
      return gates.filter((gate) => isTheirs(who, gate, Date.now())).slice(0, limit);
    },
    async approval(approvalId) {
      if (!(await visibleGate(approvalId))) throw noSuchGate(approvalId);
      return await door.approval(approvalId);
    },
    async approve(approvalId, options) {
      const gate = await visibleGate(approvalId);
      return gate ? await door.approve(approvalId, options) : unknownGate(approvalId);
    },
    async deny(approvalId, options) {
      const gate = await visibleGate(approvalId);
      return gate ? await door.deny(approvalId, { actionDigest: gate.actionDigest, ...options }) : unknownGate(approvalId);
    },
    async edit(approvalId, options) {
      const gate = await visibleGate(approvalId);
      return gate ? await door.edit(approvalId, options) : unknownGate(approvalId);
    },
    async withdraw(approvalId, options) {
      const gate = await visibleGate(approvalId);
      return gate ? await door.withdraw(approvalId, { actionDigest: gate.actionDigest, ...options }) : unknownGate(approvalId);
    },
    async ask(approvalId, question) {
      const gate = await visibleGate(approvalId);
      return gate ? await door.ask(approvalId, { actionDigest: gate.actionDigest, ...question }) : { ...unknown(approvalId), gateStatus: null };
    },
    take: async (approvalId) => ((await visibleGate(approvalId)) ? await door.take(approvalId) : unknown(approvalId)),
    release: async (approvalId) => ((await visibleGate(approvalId)) ? await door.release(approvalId) : unknown(approvalId)),
    async signDecision(approvalId, decision) {
      if (!(await visibleGate(approvalId))) throw noSuchGate(approvalId);
      return await door.signDecision(approvalId, decision);
    },
  };
}

function unknown(approvalId: string) {
  return { type: 'refused', reason: 'unknownGate', message: noSuchGate(approvalId).message } as const;
}

/** @throws TollgateError `forbidden` where the caller is there for one tenant. */
function demandEveryTenant({ tenant }: Caller, what: string): void {
  if (tenant !== null) throw new TollgateError('forbidden', `A key for one tenant never ${what}. Use one that is not bound to a tenant, or name a run.`);
}

function tenantOptions(tenant: string | null, options: StartOptions): StartOptions {
  if (tenant === null) return options;
  if (options.tenant !== undefined && options.tenant !== tenant)
    throw new TollgateError('forbidden', `This key starts runs for the tenant "${tenant}" only, and the request asks for another.`);
  return { ...options, tenant };
}

/**
 * What calls out comes from the project alone: a task that a key sends as data could name addresses, secrets of the worker
 * and effects of its choice. Recorded tools touch nothing.
 */
function permittedTask({ isLocal }: Caller, task: string | StoredTask): string | StoredTask {
  if (typeof task === 'string') return task;
  const { tools } = task.definition;
  const outward = isLocal ? undefined : tools.find(({ binding }) => binding.type !== 'recorded');
  if (outward)
    throw new TollgateError(
      'forbidden',
      `The tool "${outward.name}" calls out (${outward.binding.type}), and a task sent with a key may use recorded tools only. Add the task to tollgate.config.ts and start it by its name.`,
    );
  const given = new Set(task.contents.map((text) => createHash('sha256').update(text, 'utf8').digest('hex')));
  const missing = tools.find(({ binding }) => binding.type === 'recorded' && !given.has(binding.contentDigest));
  if (missing) throw new TollgateError('invalidInput', `task.contents: the recording of the tool "${missing.name}" is missing.`);
  return task;
}
