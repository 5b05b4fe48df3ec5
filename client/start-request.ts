import type { WorkflowOptions } from '@temporalio/client';
import { type AgentRunStart, agentRunStartSchema, type TaskReference } from '../contracts/agent-run.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { TaskRedaction } from '../contracts/redaction.ts';
import { limitsSchema } from '../contracts/task.ts';
import { SEARCH_ATTRIBUTES, type SearchAttributeTopic } from '../contracts/search-attributes.ts';
import { formatUsd, parseUsd } from '../domain/budget/price.ts';
import { readTraceparent } from '../telemetry/trace-ids.ts';

/** What the starter of a run may say beside task and input. */
export interface StartOptions {
  /** The Workflow Id. A run of that id that is still going on is returned, never a second one started. Default: made up. */
  readonly id?: string;
  readonly tenant?: string;
  readonly feature?: string;
  /** Overrides the task's budget, in USD. */
  readonly budgetUsd?: number | string;
  /** Overrides the task's limit in tokens. */
  readonly budgetTokens?: number;
  /** The person that the run is about, by a value or an id; kept as a keyed hash only, so that `tollgate erase --person` finds the run. */
  readonly subject?: string;
  /** The place in a trace of one's own that the run's trace hangs below, as W3C's header of that name says it. */
  readonly traceparent?: string;
}

/** What the client knows of a task before it runs. Everything but the name is only known where the definition is at hand. */
export interface KnownTask {
  readonly reference: TaskReference;
  /** The workflow type that runs it. Unset: `agentRun`, which hands over to the task's own. */
  readonly workflow?: string;
  readonly inputSchema?: {
    safeParse(
      value: unknown,
    ): { readonly success: true; readonly data: unknown } | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
  };
  readonly maxMessageBytes?: number;
  readonly redaction?: TaskRedaction;
  readonly models?: readonly string[];
  readonly promptVersion?: string;
  readonly budgetLimitNanoUsd?: number;
}

type SearchAttributePair = Extract<NonNullable<WorkflowOptions['typedSearchAttributes']>, readonly unknown[]>[number];

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Builds and checks the workflow's argument: its shape, the task's own input schema, the size, the budget.
 * @throws TollgateError of type `invalidInput` that lists every problem at once.
 */
export function toStartRequest(task: KnownTask, input: unknown, requester: string, options: StartOptions): AgentRunStart {
  const problems = inputProblems(task, input);
  const limit = options.budgetUsd === undefined ? undefined : parseUsd(String(options.budgetUsd));
  if (limit === null)
    problems.push(`budgetUsd: expected an amount in USD with at most nine decimal places, such as 0.25, saw ${JSON.stringify(options.budgetUsd)}.`);
  const request = {
    version: 1,
    task: task.reference,
    input,
    tenant: options.tenant ?? 'default',
    feature: options.feature ?? task.reference.name,
    ...(typeof limit === 'number' ? { budgetLimitNanoUsd: limit } : {}),
    ...(options.budgetTokens === undefined ? {} : { budgetLimitTokens: options.budgetTokens }),
    requester,
    ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
  };
  if (options.subject !== undefined && (options.subject.trim() === '' || options.subject.length > 1_000))
    problems.push('subject: expected a value or an id of a person, at most 1,000 characters.');
  if (options.traceparent !== undefined && !readTraceparent(options.traceparent))
    problems.push(`traceparent: expected W3C's form, 00-<32 hex digits>-<16 hex digits>-01, saw ${JSON.stringify(options.traceparent.slice(0, 80))}.`);
  const parsed = agentRunStartSchema.safeParse(request);
  if (!parsed.success) problems.push(...parsed.error.issues.filter((issue) => issue.path[0] !== 'input').map(describeIssue));
  if (options.id !== undefined && !/^[\x21-\x7e][\x20-\x7e]{0,199}$/.test(options.id))
    problems.push(`id: expected at most 200 printable characters, saw ${JSON.stringify(options.id.slice(0, 60))}.`);
  if (!parsed.success || problems.length > 0) throw new TollgateError('invalidInput', `The run was not started. ${problems.join('\n')}`);
  return parsed.data;
}

function inputProblems(task: KnownTask, input: unknown): string[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return [`input: expected a JSON object with a "message", saw ${JSON.stringify(input)?.slice(0, 60)}.`];
  const json = JSON.stringify(input);
  const bytes = Buffer.byteLength(json);
  const maxBytes = task.maxMessageBytes ?? limitsSchema.shape.maxMessageBytes.parse(undefined);
  if (bytes > maxBytes)
    return [`input: it is ${bytes} bytes as JSON, and the task takes at most ${maxBytes} (limits.maxMessageBytes). Shorten it, or raise the limit.`];
  const shape = agentRunStartSchema.shape.input.safeParse(input);
  if (!shape.success) return shape.error.issues.map((issue) => describeIssue({ ...issue, path: ['input', ...issue.path] }));
  if (task.inputSchema) {
    const parsed = task.inputSchema.safeParse(input);
    return parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue({ ...issue, path: ['input', ...issue.path] }));
  }
  const { message } = input as JsonObject;
  return typeof message === 'string' && message.trim() !== '' ? [] : ['input.message: the first user message is missing. Give {"message": "…"}.'];
}

function describeIssue(issue: Issue): string {
  return `${issue.path.map(String).join('.')}: ${issue.message}.`;
}

/** The search attributes of a new run. Every one that the run is to update later must be there from the start. */
export function startSearchAttributes(start: AgentRunStart, task: KnownTask, switchedOff: readonly SearchAttributeTopic[]): SearchAttributePair[] {
  const budget = start.budgetLimitNanoUsd ?? task.budgetLimitNanoUsd ?? 0;
  const keyword = (topic: SearchAttributeTopic, value: string): SearchAttributePair => ({
    key: { name: SEARCH_ATTRIBUTES[topic].name, type: 'KEYWORD' },
    value,
  });
  const double = (topic: SearchAttributeTopic, value: number): SearchAttributePair => ({ key: { name: SEARCH_ATTRIBUTES[topic].name, type: 'DOUBLE' }, value });
  const all: Record<SearchAttributeTopic, SearchAttributePair> = {
    task: keyword('task', start.task.name),
    tenant: keyword('tenant', start.tenant),
    feature: keyword('feature', start.feature),
    status: keyword('status', 'running'),
    awaitingApproval: { key: { name: SEARCH_ATTRIBUTES.awaitingApproval.name, type: 'BOOL' }, value: false },
    spendUsd: double('spendUsd', 0),
    budgetUsd: double('budgetUsd', Number(formatUsd(budget))),
    model: keyword('model', task.models?.[0] ?? '-'),
    promptVersion: keyword('promptVersion', task.promptVersion ?? '-'),
  };
  return (Object.keys(all) as SearchAttributeTopic[]).filter((topic) => !switchedOff.includes(topic)).map((topic) => all[topic]);
}

/** What an operator reads on the run's page in the Temporal UI, also where no worker is alive. Markdown. */
export function startDetails(agentRunId: string, start: AgentRunStart, task: KnownTask): string {
  const budget = start.budgetLimitNanoUsd ?? task.budgetLimitNanoUsd;
  return [
    `**Tollgate agent run** of task \`${start.task.name}\` for tenant \`${start.tenant}\`, feature \`${start.feature}\`, asked for by \`${start.requester}\`.`,
    '',
    ...(budget === undefined ? [] : [`- Budget: ${formatUsd(budget)} USD`]),
    ...(task.models ? [`- Models, in this order: ${task.models.join(', ')}`] : []),
    '- What it does now: "Current Details" below, while a worker is alive.',
    `- Everything said, spent and approved: \`npx tollgate runs show ${agentRunId}\``,
    `- Live view: \`npx tollgate runs watch ${agentRunId}\``,
    '- What waits for a person: `npx tollgate approvals list`',
  ].join('\n');
}
