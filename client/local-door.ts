import type { Client } from '@temporalio/client';
import type { GatePolicy } from '../contracts/approval.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { SearchAttributeTopic } from '../contracts/search-attributes.ts';
import type { TaskDefinition } from '../contracts/task.ts';
import type { ApprovalId } from '../contracts/ids.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import { policyFor } from '../domain/approval/policy.ts';
import { createScrubber } from '../domain/redaction/scrub.ts';
import type { Keyring } from '../domain/encryption/port.ts';
import type { ModelCatalogue } from '../domain/model/catalogue-port.ts';
import type { Store } from '../domain/store/port.ts';
import { resolveCandidates } from '../domain/task/candidates.ts';
import type { ProjectSpec } from '../domain/task/define.ts';
import type { TaskRegistry } from '../domain/task/registry-port.ts';
import { type AgentClient, createAgentClient } from './agent-client.ts';
import type { Identity } from './decision.ts';
import { decideAll } from './decision-batch.ts';
import { releaseGate, takeGate } from './gate-claim.ts';
import { knownTask, type StartableTask, type StoredTask } from './known-task.ts';
import { giveFeedback } from './feedback.ts';
import { createMoneyDoor } from './money-door.ts';
import type { ClientRedaction } from './redaction.ts';
import { createRunReader, noSuchGate } from './run-reader.ts';
import type { RunsDoor } from './runs-door.ts';
import { showGate } from './shown-gate.ts';
import { createStandingDoor } from './standing-door.ts';
import { type StartOptions, toStartRequest } from './start-request.ts';
import { reportUsage } from './usage-report.ts';

/** How long a read waits for Temporal, in milliseconds: the store has nearly all there is to tell. */
const GLANCE_TIMEOUT_MS = 1_500;

/** A team's project, loaded. */
export interface Project {
  readonly registry: TaskRegistry;
  readonly spec: ProjectSpec;
  /** The file it was loaded from. */
  readonly configPath: string;
}

/** What this process reaches runs with. Each is opened at its first use, so that nothing is needed that is not used. */
export interface LocalDoorPorts {
  /** Who starts runs and decides. */
  identity(): Identity;
  connect(timeoutMs?: number): Promise<Client>;
  openStore(): Promise<Store>;
  /** Signs for `identity`. @throws TollgateError where this process may not sign. */
  signer(): Promise<DecisionSigner>;
  project(): Promise<Project>;
  catalogue(spec: ProjectSpec): ModelCatalogue;
  /** Opens what an approver may see. */
  keyring(): Promise<Keyring>;
  /** Redacts what goes to Temporal. */
  redaction(): Promise<ClientRedaction>;
  /** Masks what redaction finds by its own rules, without the project's. */
  scrub(text: string): string;
  storeName(): string;
  taskQueue(): string;
  switchedOffSearchAttributes(): readonly SearchAttributeTopic[];
  tenantWeights(): Readonly<Record<string, number>>;
  subjectHash(tenant: string, subject: string): Promise<string>;
}

/** Runs by way of Temporal and the store, from this process. */
export function createLocalDoor(ports: LocalDoorPorts): RunsDoor {
  const open = (options: { readonly signs: boolean; readonly timeoutMs?: number }) => openAgentClient(ports, options);
  const glance = () => open({ signs: false, timeoutMs: GLANCE_TIMEOUT_MS }).catch(() => null);
  return {
    ...createRunReader({ openStore: ports.openStore, glance, storeName: ports.storeName }),
    ...createMoneyDoor({ openStore: ports.openStore, connect: () => ports.connect(), actor: () => ports.identity().name, taskQueue: ports.taskQueue }),
    async approval(approvalId) {
      const store = await ports.openStore();
      const gate = await store.findGate(approvalId as ApprovalId);
      if (!gate) throw noSuchGate(approvalId);
      const settings = (await ports.project()).spec.redaction ?? {};
      return await showGate({ store, keyring: await ports.keyring(), settings, identity: ports.identity() }, gate);
    },
    async start(task, input, options = {}) {
      const checked = await checkStart(ports, task, input, options);
      return await (await open({ signs: false })).start(checked, input as Record<string, unknown>, options);
    },
    usage: async (query = {}) => reportUsage(await ports.openStore(), query),
    feedback: async (agentRunId, feedback) =>
      giveFeedback({ store: await ports.openStore(), redaction: ports.redaction, actor: ports.identity().name }, agentRunId, feedback),
    describe: async (agentRunId, options) => (await open({ signs: false })).describe(agentRunId, options),
    cancel: async (agentRunId) => (await open({ signs: false })).cancel(agentRunId),
    addUserMessage: async (agentRunId, text, options) => (await open({ signs: false })).addUserMessage(agentRunId, text, options),
    repair: async (agentRunId, repair, options) => (await open({ signs: true })).repair(agentRunId, repair, options),
    signRepair: async (agentRunId, repair, options) => (await open({ signs: true })).signRepair(agentRunId, repair, options),
    approve: async (approvalId, options) => (await open({ signs: true })).approve(approvalId, options),
    deny: async (approvalId, options) => (await open({ signs: true })).deny(approvalId, options),
    edit: async (approvalId, options) => (await open({ signs: true })).edit(approvalId, options),
    withdraw: async (approvalId, options) => (await open({ signs: true })).withdraw(approvalId, options),
    ask: async (approvalId, question) => (await open({ signs: true })).ask(approvalId, question),
    take: async (approvalId) => await takeGate(await ports.openStore(), ports.identity(), approvalId as ApprovalId),
    release: async (approvalId) => await releaseGate(await ports.openStore(), ports.identity(), approvalId as ApprovalId),
    decideBatch: async (batch) => await decideAll(await open({ signs: true }), batch),
    ...createStandingDoor({
      openStore: ports.openStore,
      signer: ports.signer,
      identity: ports.identity,
      // A switch must be thrown also where the project does not load.
      scrub: async (text) => {
        const redaction = await ports.redaction().catch(() => null);
        return redaction ? createScrubber(redaction.engine).text(text) : ports.scrub(text);
      },
      policiesOf: async (tool, task) => policiesOf((await ports.project()).registry, tool, task),
    }),
    signDecision: async (approvalId, decision) => (await open({ signs: true })).signDecision(approvalId, decision),
  };
}

function policiesOf({ tasks }: TaskRegistry, name: string, taskName: string | undefined): readonly GatePolicy[] {
  return [...tasks.values()].flatMap((task) => {
    const tool = taskName === undefined || task.name === taskName ? task.tools.find((candidate) => candidate.name === name) : undefined;
    return tool ? [policyFor(task, 'action', tool)] : [];
  });
}

async function openAgentClient(ports: LocalDoorPorts, options: { readonly signs: boolean; readonly timeoutMs?: number }): Promise<AgentClient> {
  const signer = options.signs ? await ports.signer() : null;
  const client = await ports.connect(options.timeoutMs);
  return createAgentClient({
    client,
    store: await ports.openStore(),
    identity: ports.identity(),
    redaction: ports.redaction,
    taskQueue: ports.taskQueue(),
    switchedOffSearchAttributes: ports.switchedOffSearchAttributes(),
    tenantWeights: ports.tenantWeights(),
    subjectHash: ports.subjectHash,
    ...(signer ? { signer } : {}),
  });
}

/**
 * Everything that can be wrong with a run before it is started, all at once.
 * @throws TollgateError of the first problem's type.
 */
async function checkStart(ports: LocalDoorPorts, task: string | StoredTask, input: unknown, options: StartOptions): Promise<StartableTask> {
  const project = await ports.project();
  const { startable, definition } = typeof task === 'string' ? namedTask(project, task) : { startable: task, definition: task.definition };
  const problems: { readonly type: TollgateError['type']; readonly message: string }[] = [];
  const resolved = resolveCandidates(definition, ports.catalogue(project.spec));
  if (resolved.type === 'problems') problems.push(...resolved.problems);
  try {
    toStartRequest({ ...knownTask(startable), maxMessageBytes: definition.limits.maxMessageBytes }, input, ports.identity().name, options);
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    problems.push(error);
  }
  const [first] = problems;
  if (first) throw new TollgateError(first.type, problems.map(({ message }) => message).join('\n'));
  return startable;
}

function namedTask({ registry, spec, configPath }: Project, name: string): { readonly startable: StartableTask; readonly definition: TaskDefinition } {
  const definition = registry.tasks.get(name);
  const startable = spec.tasks.find((candidate) => candidate.name === name);
  if (definition && startable) return { startable, definition };
  throw new TollgateError('unknownTask', `There is no task "${name}" in ${configPath}. Tasks there are: ${[...registry.tasks.keys()].join(', ') || 'none'}.`);
}
