import { z } from 'zod';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import { RUN_STATUSES } from '../run-statuses.ts';

// Every body, query and answer of the API. Answers are loose: fields may be added, and none is dropped on the way.

/** Names of the schemas in the OpenAPI document. */
export const schemaRegistry = z.registry<{ readonly id?: string; readonly description?: string }>();

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

/** How long a request for a result may wait, in milliseconds. */
export const MAX_WAIT_MS = 30_000;
export const MAX_LISTED = 1_000;
const MAX_CONTENTS = 64;
const MAX_COMMENT_LENGTH = 4_000;
const MAX_MESSAGE_LENGTH = 262_144;

const text = z.string();
const id = z.string().min(1).max(1_000);
const when = z.string().describe('ISO 8601');
const usd = z.string().describe('USD, as a decimal');
/** The API got JSON already; zod's own recursive schema for it has no place in an OpenAPI document. */
const jsonObject = z.record(z.string(), z.unknown());
const anyJson = z.unknown().describe('any JSON value');
/** Whether it is one, and the right one, the gate says. */
const digest = z.string().min(1).max(200).describe('64 hex digits, as the gate shows them');

// ── What comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

export const runPath = z.object({ agentRunId: id });
export const approvalPath = z.object({ approvalId: id });

export const storedTaskSchema = named(
  'StoredTask',
  z
    .strictObject({ definition: jsonObject.pipe(taskDefinitionSchema), contents: z.array(z.string()).max(MAX_CONTENTS) })
    .describe('A task given as data, with the texts that it names by digest.'),
);

export const startBody = named(
  'StartRun',
  z.strictObject({
    task: z.union([z.string().min(1).max(100), storedTaskSchema]).describe('The name of a task of the project, or a task as data.'),
    input: jsonObject.describe('`message` is the first user message.'),
    id: z.string().min(1).max(200).optional().describe('A run of this id that is going on is returned, never a second one started.'),
    tenant: z.string().min(1).max(100).optional(),
    feature: z.string().min(1).max(100).optional(),
    budgetUsd: z.union([z.string().max(40), z.number()]).optional(),
    budgetTokens: z.int().min(1).optional(),
    subject: z.string().min(1).max(1_000).optional().describe('The person that the run is about; kept as a keyed hash only.'),
    traceparent: z.string().max(200).optional().describe('Where the trace of the run hangs; before the header of that name.'),
  }),
);

const limit = z.coerce.number().int().min(1).max(MAX_LISTED);
export const listQuery = z.strictObject({
  status: z.enum(RUN_STATUSES).optional(),
  task: z.string().min(1).max(100).optional(),
  tenant: z.string().min(1).max(100).optional(),
  limit: limit.default(50),
  parent: id.optional().describe('Only the direct children of this run.'),
  parentFirstExecutionRunId: id.optional().describe('Which one, where the id of the parent was used more than once.'),
  cursor: z.string().max(2_000).optional().describe('From the `Link` header of the page before.'),
});

export const approvalsQuery = z.strictObject({
  limit: limit.default(MAX_LISTED),
  cursor: z.string().min(1).max(100).optional().describe('The page after this gate: its `approvalId`, as the header Link has it.'),
});
export const resultQuery = z.strictObject({ waitMs: z.coerce.number().int().min(0).max(MAX_WAIT_MS).default(0) });
export const descriptionQuery = z.strictObject({ view: z.enum(['true', 'false']).default('true').describe('`false` asks no worker, which is quicker.') });
export const eventsQuery = z.strictObject({
  detail: z.enum(['changes', 'reports']).default('changes').describe('`reports`: the whole run at each change, as event `report`.'),
  firstExecutionRunId: z.string().min(1).max(100).optional().describe('Which run, where the id was used more than once.'),
});

const comment = z.string().min(1).max(MAX_COMMENT_LENGTH);
export const decisionBody = named(
  'Decision',
  z.discriminatedUnion('verdict', [
    z.strictObject({ verdict: z.literal('approve'), actionDigest: digest, comment: comment.optional() }),
    z.strictObject({ verdict: z.literal('deny'), reason: comment, actionDigest: digest.optional() }),
    z.strictObject({
      verdict: z.literal('edit'),
      actionDigest: digest,
      arguments: jsonObject.describe('The whole new arguments object.'),
      comment: comment.optional(),
    }),
    z.strictObject({ verdict: z.literal('withdraw'), actionDigest: digest.optional(), comment: comment.optional() }),
  ]),
);

export const signBody = named('DecisionToSign', z.strictObject({ verdict: z.enum(['approve', 'deny']), actionDigest: digest, comment: comment.optional() }));

export const messageBody = named(
  'UserMessage',
  z.strictObject({
    text: z.string().min(1).max(MAX_MESSAGE_LENGTH),
    messageId: z.string().min(1).max(100).optional().describe('The same id again is the same message.'),
  }),
);

// ── What goes out ──────────────────────────────────────────────────────────────────────────────────────────────────

export const startedSchema = named('StartedRun', z.looseObject({ agentRunId: text, firstExecutionRunId: text }));

export const ledgerSchema = named('Ledger', z.looseObject({ limitUsd: usd, settledUsd: usd, heldUsd: usd, writtenOffUsd: usd, overrunUsd: usd }));

const summaryFields = {
  agentRunId: text,
  firstExecutionRunId: text,
  task: text,
  tenant: text,
  feature: text,
  status: text.describe(RUN_STATUSES.join(', ')),
  startedAt: when,
  endedAt: when.nullable(),
  ledger: ledgerSchema,
};
export const runSummarySchema = named('RunSummary', z.looseObject(summaryFields));

const quotaUseSchema = z.looseObject({ tenant: text.exactOptional(), from: when, until: when, settled: text, held: text, writtenOff: text, overrun: text });
export const quotaSchema = named(
  'Quota',
  z.looseObject({
    quotaId: text,
    tenant: text.nullable().describe('Null: all tenants together; `*`: each tenant by itself.'),
    feature: text.nullable(),
    per: text.describe('minute, day or month, by UTC'),
    unit: text.describe('usd or tokens'),
    limit: text,
    source: text,
    setAt: when,
    use: z.array(quotaUseSchema).describe('What is used in the window under way.'),
  }),
);

const voteSchema = z.looseObject({
  approver: text,
  displayName: text.exactOptional(),
  roles: z.array(text),
  verdict: text,
  comment: text.nullable(),
  unverified: z.boolean(),
  at: when,
});
const stoppedSchema = z.looseObject({ stopId: text, by: text, reason: text, at: when });
const questionSchema = z.looseObject({
  questionId: text,
  by: text,
  displayName: text.exactOptional(),
  text,
  at: when,
  actionDigest: text,
  answer: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('answered'), text, model: text, at: when }),
      z.looseObject({ type: z.literal('notAnswered'), why: text, message: text, at: when }),
    ])
    .exactOptional()
    .describe('Absent while the agent is asked. Words of a model: they decide nothing.'),
});
export const gateSchema = named(
  'Gate',
  z.looseObject({
    approvalId: text,
    agentRunId: text,
    kind: text,
    tool: text,
    toolVersion: text,
    destination: text,
    arguments: anyJson,
    values: z.record(z.string(), text).exactOptional().describe('What tokens in the arguments stand for, where the caller may see it.'),
    actionDigest: text,
    status: text,
    role: text,
    approvers: z.int(),
    approvals: z.int(),
    occurrence: z.int(),
    reason: text,
    requester: text,
    createdAt: when,
    expiresAt: when,
    decidedAt: when.nullable(),
    votes: z.array(voteSchema),
    standing: z
      .looseObject({ standingId: text, grantedBy: z.array(text) })
      .exactOptional()
      .describe('The standing approval that approved it, in place of votes.'),
    stopped: z.array(stoppedSchema).exactOptional().describe('Switches that hold the action back.'),
    needs: z
      .array(z.looseObject({ role: text, approvers: z.int() }))
      .exactOptional()
      .describe('Other roles that must approve too.'),
    limits: z
      .array(z.looseObject({ role: text, when: anyJson }))
      .exactOptional()
      .describe('What holders of a role may approve and edit to.'),
    escalatesTo: z.looseObject({ role: text, at: when, escalated: z.boolean() }).exactOptional().describe('Another role may decide from then on.'),
    remindsAt: when.exactOptional(),
    tried: z.looseObject({ role: text, approvers: z.int() }).exactOptional().describe('What would be asked if the rules that are only tried out counted.'),
    edits: z
      .array(z.looseObject({ editor: text, at: when, comment: text.nullable(), fromArguments: anyJson, fromDigest: text }))
      .exactOptional()
      .describe('Changes of the arguments by people, oldest first.'),
    claim: z.looseObject({ by: text, displayName: text.exactOptional(), until: when }).exactOptional().describe('Who is looking at it; binds nobody.'),
    questions: z.array(questionSchema).exactOptional().describe('What approvers asked the agent, and what it answered, oldest first.'),
    approveCommand: text.exactOptional(),
  }),
);

const toolCallSchema = z.looseObject({
  tool: text,
  effect: text.nullable(),
  status: text,
  arguments: anyJson,
  approvalId: text.exactOptional(),
  isError: z.boolean().exactOptional(),
  result: anyJson.exactOptional(),
});
export const stepSchema = named(
  'Step',
  z.looseObject({
    step: z.int(),
    attempts: z.array(z.looseObject({ attemptId: text, model: text, outcome: text })),
    text: text.nullable(),
    toolCalls: z.array(toolCallSchema),
  }),
);

const attemptSchema = z.looseObject({
  attemptId: text,
  step: z.int(),
  model: text,
  provider: text,
  mode: z.literal('answer').exactOptional().describe('Set where a question at a gate was answered, beside the steps of the run.'),
  outcome: text,
  message: text.exactOptional(),
  costUsd: usd.nullable(),
  heldUsd: usd,
  price: z.looseObject({ source: text, effectiveAt: text.nullable() }).exactOptional(),
  serviceTier: text.exactOptional(),
  providerRequestId: text.exactOptional(),
  startedAt: when,
  endedAt: when.nullable(),
});

export const feedbackSchema = named(
  'Feedback',
  z.looseObject({ feedbackId: text, score: z.number(), step: z.int().nullable(), label: text.nullable(), comment: text.nullable(), actor: text, at: when }),
);

export const repairSchema = named(
  'Repair',
  z.looseObject({
    repairId: text,
    type: text,
    step: z.int().exactOptional(),
    model: text.exactOptional(),
    amountUsd: text.exactOptional(),
    actor: text,
    reason: text,
    unverified: z.boolean(),
    at: when,
  }),
);

export const runReportSchema = named(
  'Run',
  z.looseObject({
    ...summaryFields,
    requester: text,
    output: text.nullable(),
    message: text.nullable(),
    failureType: text.nullable(),
    models: z.array(text),
    simulated: z.boolean(),
    steps: z.array(stepSchema),
    attempts: z.array(attemptSchema),
    gates: z.array(gateSchema),
    stopped: z.array(stoppedSchema).exactOptional().describe('Switches that hold its model calls back.'),
    temporalStatus: text.exactOptional(),
    parent: text.exactOptional().describe('The run whose budget it draws on.'),
    children: z.array(z.unknown()).exactOptional(),
    feedback: z.array(feedbackSchema).exactOptional(),
    repairs: z.array(repairSchema).exactOptional().describe('What operators did to it, oldest first.'),
  }),
);

export const pendingResultSchema = named('PendingResult', z.looseObject({ agentRunId: text, status: text }));

const nanoUsd = z.int();
const viewSchema = z.looseObject({
  version: z.literal(1),
  status: text,
  task: text,
  step: z.int(),
  maxSteps: z.int(),
  model: text.nullable(),
  ledger: z.looseObject({
    limitNanoUsd: nanoUsd,
    settledNanoUsd: nanoUsd,
    heldNanoUsd: nanoUsd,
    writtenOffNanoUsd: nanoUsd,
    overrunNanoUsd: nanoUsd,
  }),
  gates: z.array(z.looseObject({ approvalId: text, actionDigest: text, kind: text, status: text, tool: text, expiresAtMs: z.int() })),
});
export const descriptionSchema = named(
  'RunDescription',
  z.looseObject({
    agentRunId: text,
    firstExecutionRunId: text,
    tenant: text.nullable(),
    temporalStatus: text,
    startedAt: when,
    closedAt: when.nullable(),
    view: viewSchema.nullable().describe('What the workflow says of itself; null where no worker answers.'),
  }),
);

export const cancellationSchema = named('Cancellation', z.looseObject({ agentRunId: text, cancellation: z.enum(['requested', 'ended']) }));

export const decidedSchema = named(
  'DecisionAccepted',
  z.looseObject({
    type: z.literal('accepted'),
    gateStatus: text,
    message: text,
    edited: z
      .looseObject({ actionDigest: text, expiresAtMs: z.int(), editorMayDecide: z.boolean() })
      .exactOptional()
      .describe('What the gate asks for now, after an edit.'),
  }),
);
export const undecidedSchema = named('DecisionPending', z.looseObject({ type: z.literal('undecided'), message: text }));
export const signedSignalSchema = named(
  'SignedSignal',
  z.looseObject({
    agentRunId: text,
    signal: z.enum(['approve', 'deny']),
    payload: z.looseObject({ approvalId: text, actionDigest: text, signedDecision: text }).describe('What the signal carries.'),
    expiresAt: when,
  }),
);
export const messageSentSchema = named('MessageSent', z.looseObject({ messageId: text }));

export const meSchema = named(
  'Me',
  z.looseObject({
    name: text.describe('What decisions are signed for.'),
    displayName: text,
    roles: z.array(text),
    tenant: text.nullable().describe('The one tenant that the caller may know of; null: every tenant.'),
    scopes: z.array(text),
    signedIn: z.boolean().describe('Whether an issuer vouches for the caller.'),
    csrfToken: text.exactOptional().describe("In a browser's session: goes into the header `x-tollgate-csrf` of every request that changes something."),
    sessionEndsAt: when.exactOptional(),
  }),
);

export const healthSchema = named('Health', z.looseObject({ status: text }));
export const readinessSchema = named('Readiness', z.looseObject({ status: z.enum(['ready', 'notReady']), temporal: z.boolean(), store: z.boolean() }));

export const problemSchema = named(
  'Problem',
  z
    .looseObject({
      type: text.describe('`urn:tollgate:failure:` and the failure type; docs/failures.md says what to do.'),
      title: text,
      status: z.int(),
      detail: text,
      failureType: text,
      problems: z.array(z.looseObject({ path: text, message: text })).exactOptional(),
      reason: text.exactOptional().describe('Why a decision or a repair was refused.'),
      gateStatus: text.nullable().exactOptional(),
      login: text.exactOptional().describe('Where a person can log in by browser.'),
    })
    .describe('RFC 9457'),
);
export type Problem = z.infer<typeof problemSchema>;
