import { randomUUID } from 'node:crypto';
import { type Client, isGrpcServiceError, ServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import type { AgentRunResult, AgentRunStart, RunStatusView } from '../contracts/agent-run.ts';
import type { Verdict } from '../contracts/approval.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ActionDigest, AgentRunId, ApprovalId, RunKey } from '../contracts/ids.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { SearchAttributeTopic } from '../contracts/search-attributes.ts';
import { AGENT_RUN_WORKFLOW, addUserMessageSignal, getRunStatusQuery, TASK_QUEUE } from '../contracts/temporal.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import { editContext, messageContext, startContext } from '../domain/redaction/sealing-context.ts';
import { tokensIn } from '../domain/redaction/token-text.ts';
import type { RunFilter, Store } from '../domain/store/port.ts';
import { type AttentionDoor, createAttentionDoor } from './attention-door.ts';
import { type DecisionResult, type Identity, sendDecision, settled, toDecisionRequest } from './decision.ts';
import { type InputOf, knownTask, putTask, type StartableTask } from './known-task.ts';
import { type Feedback, type FeedbackGiven, giveFeedback } from './feedback.ts';
import { fairShareOf } from './fairness.ts';
import { reportGate, type GateReport } from './gate-report.ts';
import { completeOutcome, outcomeOfFailure, outcomeOfResult, type OutputOf, type RunOutcome } from './run-result.ts';
import { noSuchGate } from './run-reader.ts';
import { bareRepair, type RepairAsked, type RepairOptions, type RepairResult, sendRepair, type SignedRepair, signRepair, toRepair } from './repair.ts';
import { type DecisionToSign, signForSignal, type SignedSignal } from './signed-decision.ts';
import { type RunSummary, summarizeRun } from './run-report.ts';
import { type ClientRedaction, redactComment, redactOutgoing } from './redaction.ts';
import { type KnownTask, type StartOptions, startDetails, startSearchAttributes, toStartRequest } from './start-request.ts';
import { typedResult } from './task-output.ts';
import { type MessageOptions, toUserMessage } from './user-message.ts';
import { GRPC_INVALID_ARGUMENT, isUnavailable, readable, unavailable } from './temporal-connection.ts';

/** How long reading a run from Temporal may take, in milliseconds. */
const READ_TIMEOUT_MS = 3_500;
/** How long a message waits for the run to say that it has room, in milliseconds. Without an answer it is sent all the same. */
const ROOM_TIMEOUT_MS = 1_000;
const MAX_LISTED = 1_000;
/** Search attributes can be switched off, and the store does not have a run before a worker has picked it up. */
const TENANT_MEMO = 'tollgateTenant';
/** What a short run takes in the store. */
const ROOM_FOR_A_RUN_BYTES = 131_072;

export interface AgentClientOptions {
  /** A connected Temporal client; its namespace is where runs live. */
  readonly client: Client;
  readonly taskQueue?: string;
  /** Who starts runs and decides. */
  readonly identity: Identity;
  /** Signs decisions for `identity`. Without it they go unsigned, which counts only where the configuration allows it. */
  readonly signer?: DecisionSigner;
  /** Needed for tasks given as data, for lists, and for the ledger of runs that Temporal closed. */
  readonly store?: Store;
  /** Redacts what goes to Temporal, before it leaves this process. Asked for at the first text that does. */
  readonly redaction: () => Promise<ClientRedaction>;
  /** Keyed hash of a person, for runs that are started with a `subject`. */
  readonly subjectHash?: (tenant: string, subject: string) => Promise<string>;
  /** Search attributes that the namespace has no room for. */
  readonly switchedOffSearchAttributes?: readonly SearchAttributeTopic[];
  /** Shares of the workers by tenant, where runs queue; those not named weigh 1. */
  readonly tenantWeights?: Readonly<Record<string, number>>;
}

export interface StartedRun {
  readonly agentRunId: AgentRunId;
  readonly firstExecutionRunId: string;
}

/** What Temporal knows of a run. */
export interface RunDescription {
  readonly runKey: RunKey;
  /** Temporal's own status: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT. */
  readonly temporalStatus: string;
  readonly startedAt: Date;
  readonly closedAt: Date | null;
  /** Whom the run is for; null for a run that no client of ours started. */
  readonly tenant: string | null;
  /** What the workflow says of itself; null where no worker answers. */
  readonly view: RunStatusView | null;
}

export interface DecideOptions {
  /** What is approved. Needed for `approve`; else it may be looked up in the store. */
  readonly actionDigest?: string;
  readonly comment?: string;
  /** The run of the gate; needed where the client has no store. */
  readonly agentRunId?: string;
}

export interface EditOptions {
  /** What the gate asks for now. */
  readonly actionDigest: string;
  /** The whole new arguments object. Tokens that the gate shows stay tokens. */
  readonly arguments: JsonObject;
  readonly comment?: string;
}

/** Starts, reads and steers agent runs. Every error is a TollgateError whose message says what to do. */
export interface AgentClient extends AttentionDoor {
  /** Starts a run, or returns the one of that id that is going on. Everything that can be checked is checked first. */
  start<Task extends StartableTask>(task: Task, input: InputOf<Task>, options?: StartOptions): Promise<StartedRun>;
  /** Waits for the end of a run, through every continue-as-new. Also a run that failed is an answer. */
  result(agentRunId: string): Promise<RunOutcome>;
  /** The same, with the answer as the task's output schema types it. */
  result<Task extends StartableTask>(agentRunId: string, task: Task): Promise<RunOutcome<OutputOf<Task>>>;
  /** `view: false` asks no worker, which is quicker. */
  describe(agentRunId: string, options?: { readonly view?: boolean }): Promise<RunDescription>;
  approve(approvalId: string, options: DecideOptions & { readonly actionDigest: string }): Promise<DecisionResult>;
  deny(approvalId: string, options: DecideOptions & { readonly reason: string }): Promise<DecisionResult>;
  /** Changes the arguments of an open action, all of them at once; the gate then asks again, under another digest. Needs a store. */
  edit(approvalId: string, options: EditOptions): Promise<DecisionResult>;
  /** Takes one's own decision back, as long as it was not used. */
  withdraw(approvalId: string, options?: DecideOptions): Promise<DecisionResult>;
  /** Signs a decision without sending it, for a plain signal. Needs a signer and a store. @throws TollgateError `notFound`, `decisionRefused`. */
  signDecision(approvalId: string, decision: DecisionToSign): Promise<SignedSignal>;
  /**
   * Says something to a running run. It enters the transcript before the next model call; a run that was about to end with
   * an answer takes another step for it. @throws TollgateError `notFound` where the run has ended, `tooManyMessages`.
   */
  addUserMessage(agentRunId: string, text: string, options?: MessageOptions): Promise<{ readonly messageId: string }>;
  /** Keeps what somebody thought of a run or one of its steps; reports, metrics and sinks have it. Needs a store. */
  feedback(agentRunId: string, feedback: Feedback): Promise<FeedbackGiven>;
  /** Pauses a run, lets it go on, gives a step up, has another model asked first, raises its budget: for whoever's role may. */
  repair(agentRunId: string, repair: RepairAsked, options: RepairOptions): Promise<RepairResult>;
  /** Signs a repair without sending it, for the input of a plain Temporal update. */
  signRepair(agentRunId: string, repair: RepairAsked, options: RepairOptions): Promise<SignedRepair>;
  /** Asks a run to stop. What it was doing is finished or held first. `ended`: it had come to its end before. */
  cancel(agentRunId: string): Promise<{ readonly type: 'requested' | 'ended' }>;
  /** Newest first. Needs a store. */
  list(filter?: Partial<RunFilter>): Promise<readonly RunSummary[]>;
  /** Gates that wait for a person. Needs a store. */
  pendingApprovals(): Promise<readonly GateReport[]>;
}

/** A client over a connected Temporal client. Never opens or closes a connection. */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  const { client, store, identity } = options;

  async function start<Task extends StartableTask>(task: Task, input: InputOf<Task>, startOptions: StartOptions = {}): Promise<StartedRun> {
    const startable: StartableTask = task;
    const known = knownTask(startable);
    const checked = await withSubject(options, toStartRequest(known, input, identity.name, startOptions), startOptions.subject);
    const agentRunId = (startOptions.id ?? `${checked.task.name}-${randomUUID()}`) as AgentRunId;
    const request = await redactedStart(await options.redaction(), agentRunId, checked, known);
    const earlier = startOptions.id === undefined ? null : await store?.latestRun(agentRunId);
    if (earlier && earlier.tenant !== request.tenant) throw idTaken(agentRunId);
    await store?.ensureRoom(ROOM_FOR_A_RUN_BYTES);
    if (typeof startable !== 'string' && 'definition' in startable) await putTask(needStore(store, 'starting a task that is given as data'), startable);
    await store?.appendAudit({
      type: 'run.requested',
      runKey: null,
      actor: identity.name,
      data: { agentRunId, task: request.task, tenant: request.tenant, feature: request.feature },
    });
    return await startWorkflow(options, agentRunId, request, known);
  }

  async function decide(approvalId: string, verdict: Verdict, { actionDigest, comment, agentRunId }: DecideOptions): Promise<DecisionResult> {
    const gate = (await store?.findGate(approvalId as ApprovalId)) ?? null;
    if (store && !gate && agentRunId === undefined) return unknownGate(approvalId);
    const runKey = gate?.runKey ?? (await runKeyOf(options, agentRunId, approvalId));
    if (!runKey) return unknownGate(approvalId);
    const digest = actionDigest ?? gate?.actionDigest;
    if (digest === undefined) throw new TollgateError('invalidInput', 'A decision names what it is about: give "actionDigest", as the gate shows it.');
    const toSend = {
      runKey,
      approvalId: approvalId as ApprovalId,
      actionDigest: digest as ActionDigest,
      verdict,
      ...(comment === undefined ? {} : { comment: redactComment(await options.redaction(), comment) }),
    };
    const request = toDecisionRequest(toSend, identity, options.signer, Date.now());
    const result = await reaching(client, () => sendDecision(client, runKey, request));
    return settled(result, { verdict, digest, approver: identity.name }, store && gate ? await store.getGate(gate.runKey, gate.approvalId) : null);
  }

  return {
    start,
    result: typedResult((agentRunId) => awaitResult(options, agentRunId as AgentRunId)),
    describe: (agentRunId, { view = true } = {}) => describeRun(options, agentRunId as AgentRunId, view),
    approve: (approvalId, decideOptions) => decide(approvalId, 'approve', decideOptions),
    deny: (approvalId, { reason, ...decideOptions }) => decide(approvalId, 'deny', { ...decideOptions, comment: reason }),
    edit: (approvalId, editOptions) => sendEdit(options, approvalId as ApprovalId, editOptions),
    withdraw: (approvalId, decideOptions = {}) => decide(approvalId, 'withdraw', decideOptions),
    signDecision: (approvalId, decision) => signDecision(options, approvalId, decision),
    ...createAttentionDoor({ ...options, reaching: (call) => reaching(client, call) }),
    addUserMessage: (agentRunId, text, messageOptions = {}) => sendMessage(options, agentRunId as AgentRunId, text, messageOptions),
    repair: (agentRunId, repair, repairOptions) => repairRun(options, agentRunId as AgentRunId, repair, repairOptions),
    signRepair: (agentRunId, repair, repairOptions) => signRepairOf(options, agentRunId as AgentRunId, repair, repairOptions),
    feedback: (agentRunId, feedback) =>
      giveFeedback({ store: needStore(store, 'feedback'), redaction: options.redaction, actor: identity.name }, agentRunId, feedback),
    async cancel(agentRunId) {
      const { closedAt, runKey } = await readExecution(options, agentRunId as AgentRunId);
      if (closedAt) return { type: 'ended' };
      await store?.appendAudit({ type: 'run.cancelRequested', runKey, actor: identity.name, data: { agentRunId } });
      await reaching(client, () => client.withDeadline(Date.now() + READ_TIMEOUT_MS, () => client.workflow.getHandle(agentRunId).cancel()), agentRunId);
      return { type: 'requested' };
    },
    async list(filter = {}) {
      const runs = await needStore(store, 'listing runs').listRuns({ limit: MAX_LISTED, ...filter });
      return await Promise.all(runs.map((run) => summarizeRun(needStore(store, 'listing runs'), run)));
    },
    async pendingApprovals() {
      const gates = await needStore(store, 'listing approvals').listGates({ status: 'open', limit: MAX_LISTED });
      return gates.map((gate) => reportGate(gate));
    },
  };
}

async function sendEdit(options: AgentClientOptions, approvalId: ApprovalId, { actionDigest, arguments: args, comment }: EditOptions): Promise<DecisionResult> {
  const { client, identity } = options;
  const store = needStore(options.store, 'changing what a gate asks for');
  const gate = await store.findGate(approvalId);
  const run = gate && (await store.getRun(gate.runKey));
  if (!gate || !run) return unknownGate(approvalId);
  const redaction = await options.redaction();
  const text = {
    tenant: run.tenant,
    feature: run.feature,
    shown: tokensIn(gate.arguments),
    context: editContext(gate.runKey.agentRunId, actionDigest),
    refusal: 'The arguments were not changed.',
  };
  const edit = await redactOutgoing(redaction, text, args);
  const said = comment === undefined ? {} : { comment: redactComment(redaction, comment) };
  const toSend = { runKey: gate.runKey, approvalId, actionDigest: actionDigest as ActionDigest, verdict: 'edit', edit, ...said } as const;
  const request = toDecisionRequest(toSend, identity, options.signer, Date.now());
  const result = await reaching(client, () => sendDecision(client, gate.runKey, request));
  return settled(result, { verdict: 'edit', digest: actionDigest, approver: identity.name }, await store.getGate(gate.runKey, approvalId));
}

async function signDecision({ store, signer, identity, redaction }: AgentClientOptions, approvalId: string, decision: DecisionToSign): Promise<SignedSignal> {
  const audit = needStore(store, 'signing a decision');
  const gate = await audit.findGate(approvalId as ApprovalId);
  if (!gate) throw noSuchGate(approvalId);
  if (!signer) throw new TollgateError('invalidInput', 'This client has no signer. Give createAgentClient({ signer }), or sign through the API or the CLI.');
  const { comment } = decision;
  const shown = comment === undefined ? decision : { ...decision, comment: redactComment(await redaction(), comment) };
  return await signForSignal({ signer, identity, audit }, gate, shown, Date.now());
}

async function redactedStart(redaction: ClientRedaction, agentRunId: AgentRunId, start: AgentRunStart, { redaction: task }: KnownTask): Promise<AgentRunStart> {
  const { tenant, feature, input } = start;
  const text = { tenant, feature, ...(task ? { task } : {}), context: startContext(agentRunId), refusal: 'The run was not started.' };
  const outgoing = await redactOutgoing(redaction, text, input);
  return { ...start, input: outgoing.value, ...(outgoing.redaction ? { redaction: outgoing.redaction } : {}) };
}

/** The person goes along as a hash that nobody without the tenant's key can guess at. */
async function withSubject({ subjectHash }: AgentClientOptions, request: AgentRunStart, subject: string | undefined): Promise<AgentRunStart> {
  if (subject === undefined) return request;
  if (subjectHash) return { ...request, subject: await subjectHash(request.tenant, subject) };
  throw new TollgateError(
    'invalidInput',
    'This client has no keys, and naming the person that a run is about needs them. Start it by way of the API or the CLI.',
  );
}

async function startWorkflow(options: AgentClientOptions, agentRunId: AgentRunId, request: AgentRunStart, known: KnownTask): Promise<StartedRun> {
  const { client } = options;
  const starting = () =>
    client.workflow.start<(input: AgentRunStart) => Promise<AgentRunResult>>(known.workflow ?? AGENT_RUN_WORKFLOW, {
      workflowId: agentRunId,
      taskQueue: options.taskQueue ?? TASK_QUEUE,
      args: [request],
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      priority: fairShareOf(request.tenant, options.tenantWeights),
      memo: { [TENANT_MEMO]: readable(client, request.tenant) },
      typedSearchAttributes: startSearchAttributes(request, known, options.switchedOffSearchAttributes ?? []),
      staticSummary: readable(client, `${request.task.name} · ${request.tenant}`),
      staticDetails: readable(client, startDetails(agentRunId, request, known)),
    });
  const handle = await reaching(client, () => client.withDeadline(Date.now() + READ_TIMEOUT_MS, starting));
  // A run that was found may be a later execution of its chain; the first one's id is what the store is keyed by.
  const execution = await readExecution(options, agentRunId).catch(() => null);
  if (execution?.tenant && execution.tenant !== request.tenant) throw idTaken(agentRunId);
  return execution?.runKey ?? { agentRunId, firstExecutionRunId: handle.firstExecutionRunId };
}

async function awaitResult({ client, store }: AgentClientOptions, agentRunId: AgentRunId): Promise<RunOutcome> {
  const handle = client.workflow.getHandle<() => Promise<AgentRunResult>>(agentRunId);
  const outcome = await reaching(
    client,
    async () => {
      try {
        return outcomeOfResult(await handle.result());
      } catch (error) {
        if (error instanceof WorkflowFailedError) return outcomeOfFailure(agentRunId, error.cause);
        throw error;
      }
    },
    agentRunId,
  );
  const run = await store?.latestRun(agentRunId);
  return store && run ? await completeOutcome(outcome, store, run) : outcome;
}

async function describeRun(options: AgentClientOptions, agentRunId: AgentRunId, asksWorker: boolean): Promise<RunDescription> {
  const { client } = options;
  const execution = await readExecution(options, agentRunId);
  if (!asksWorker) return { ...execution, view: null };
  try {
    const view = await client.withDeadline(Date.now() + READ_TIMEOUT_MS, () => client.workflow.getHandle(agentRunId).query(getRunStatusQuery));
    return { ...execution, view };
  } catch {
    // No worker is alive, or none that knows this run: what Temporal itself knows is still an answer.
    return { ...execution, view: null };
  }
}

async function sendMessage(options: AgentClientOptions, agentRunId: AgentRunId, text: string, messageOptions: MessageOptions): Promise<{ messageId: string }> {
  const { client, store, identity } = options;
  const execution = await readExecution(options, agentRunId);
  if (execution.closedAt) throw new TollgateError('notFound', `The run "${agentRunId}" has ended already and takes no message. Start a new one.`);
  const run = (await store?.getRun(execution.runKey)) ?? null;
  const message = await toUserMessage(text, identity.name, messageOptions, store, run, async (said, messageId) => {
    const whose = { tenant: run?.tenant ?? execution.tenant ?? 'default', feature: run?.feature ?? '' };
    const context = messageContext(agentRunId, messageId);
    return await redactOutgoing(await options.redaction(), { ...whose, context, refusal: 'The message was not sent.' }, said);
  });
  const { firstExecutionRunId } = execution.runKey;
  const handle = client.workflow.getHandle(agentRunId, undefined, { firstExecutionRunId });
  const view = await client.withDeadline(Date.now() + ROOM_TIMEOUT_MS, () => handle.query(getRunStatusQuery)).catch(() => null);
  if (view?.messageRoom === 0)
    throw new TollgateError(
      'tooManyMessages',
      `The run "${agentRunId}" takes no more messages now: too many wait for its next step (limits.maxPendingMessages), or it has had as many as it may (limits.maxMessages). Nothing was sent.`,
    );
  await reaching(client, () => client.withDeadline(Date.now() + READ_TIMEOUT_MS, () => handle.signal(addUserMessageSignal, message)), agentRunId);
  return { messageId: message.messageId };
}

async function repairRun(options: AgentClientOptions, agentRunId: AgentRunId, asked: RepairAsked, given: RepairOptions): Promise<RepairResult> {
  const { client, signer } = options;
  const repair = toRepair(asked, given);
  const { runKey, closedAt } = await readExecution(options, agentRunId);
  if (closedAt) return { type: 'refused', reason: 'ended', message: `The run ${agentRunId} has ended; nothing was changed. Start a new one.` };
  const reason = redactComment(await options.redaction(), given.reason);
  const payload = signer ? signRepair(signer, options.identity, runKey, repair, { ...given, reason }, Date.now()).payload : bareRepair(repair, reason);
  return await reaching(client, () => sendRepair(client, runKey, repair.type, payload), agentRunId);
}

async function signRepairOf(options: AgentClientOptions, agentRunId: AgentRunId, asked: RepairAsked, given: RepairOptions): Promise<SignedRepair> {
  const { signer, identity, store } = options;
  const repair = toRepair(asked, given);
  if (!signer) throw new TollgateError('invalidInput', 'This client has no signer. Give createAgentClient({ signer }), or sign through the API or the CLI.');
  const { runKey } = await readExecution(options, agentRunId);
  const reason = redactComment(await options.redaction(), given.reason);
  const signed = signRepair(signer, identity, runKey, repair, { ...given, reason }, Date.now());
  await store?.appendAudit({ type: 'repair.signed', runKey, actor: identity.name, data: { ...repair, reason } });
  return signed;
}

async function readExecution({ client }: AgentClientOptions, agentRunId: AgentRunId): Promise<Omit<RunDescription, 'view'>> {
  const reading = () => client.workflow.getHandle(agentRunId).describe();
  const description = await reaching(client, () => client.withDeadline(Date.now() + READ_TIMEOUT_MS, reading), agentRunId);
  return {
    runKey: { agentRunId, firstExecutionRunId: description.raw.workflowExecutionInfo?.firstRunId || description.runId },
    temporalStatus: description.status.name,
    startedAt: description.startTime,
    closedAt: description.closeTime ?? null,
    tenant: tenantOf(description.memo),
  };
}

function tenantOf(memo: Readonly<Record<string, unknown>> | undefined): string | null {
  const tenant = memo?.[TENANT_MEMO];
  return typeof tenant === 'string' ? tenant : null;
}

async function runKeyOf(options: AgentClientOptions, agentRunId: string | undefined, approvalId: string): Promise<RunKey | null> {
  if (agentRunId === undefined)
    throw new TollgateError('invalidInput', `Which run does the gate ${approvalId} belong to? Give "agentRunId", or give the client a store to look it up in.`);
  try {
    return (await readExecution(options, agentRunId as AgentRunId)).runKey;
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'notFound') return null;
    throw error;
  }
}

/** An id names runs of one tenant only: who asks by id must not come upon those of another. */
function idTaken(agentRunId: string): TollgateError {
  return new TollgateError('idTaken', `The id "${agentRunId}" is taken by a run for another tenant; nothing was started. Choose another id.`);
}

/** The answer for a gate that is not there, or not for this caller to know of. */
export function unknownGate(approvalId: string): DecisionResult {
  return {
    type: 'refused',
    reason: 'unknownGate',
    gateStatus: null,
    message: `There is no gate ${approvalId}. "tollgate approvals list" shows those that wait.`,
  };
}

function needStore(store: Store | undefined, what: string): Store {
  if (store) return store;
  throw new TollgateError('invalidInput', `This client has no store, and ${what} needs one. Give createAgentClient({ store }).`);
}

/** Runs a call to Temporal and puts what went wrong into our words. */
async function reaching<T>(client: Client, call: () => Promise<T>, agentRunId?: string): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw notFound(agentRunId, error);
    if (isUnavailable(error)) throw unavailable(addressOf(client), error);
    throw missingSearchAttribute(error) ?? error;
  }
}

function notFound(agentRunId: string | undefined, error: WorkflowNotFoundError): TollgateError {
  const id = agentRunId ?? error.workflowId;
  if (!/already completed/i.test(error.message)) return noSuchRun(id, error);
  return new TollgateError('notFound', `The run "${id}" has ended already. "tollgate runs list" shows those there are.`, { cause: error });
}

/** The error for a run that is not there, or not for this caller to know of. */
export function noSuchRun(agentRunId: string, cause?: unknown): TollgateError {
  return new TollgateError('notFound', `There is no run "${agentRunId}". "tollgate runs list" shows those there are.`, { cause });
}

function missingSearchAttribute(error: unknown): TollgateError | null {
  const grpc = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(grpc) || grpc.code !== GRPC_INVALID_ARGUMENT || !/search attribute/i.test(grpc.details)) return null;
  const message = `Temporal refused the run: ${grpc.details}. A worker registers the search attributes when it starts ("tollgate worker"); "tollgate doctor" checks them.`;
  return new TollgateError('searchAttributesMissing', message, { cause: error });
}

function addressOf(client: Client): string {
  return (client.connection as { options?: { address?: string } }).options?.address ?? 'the configured address';
}
