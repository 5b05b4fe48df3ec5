import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RunStatusView, UserMessage } from './agent-run.ts';
import type { DecisionAnswer, DecisionRequest, QuestionAnswer, QuestionRequest } from './approval.ts';
import type { RepairAnswer, RepairType } from './repair.ts';

export const TASK_QUEUE = 'tollgate';

/** Workflow types. */
export const AGENT_RUN_WORKFLOW = 'agentRun';
export const RECONCILE_WORKFLOW = 'reconcileHeld';

/** Answers what a decision came to; rejected before history is written where the shape, the gate or the digest is wrong. */
export const decideApprovalUpdate = defineUpdate<DecisionAnswer, [DecisionRequest]>('decideApproval');

/** What the signals carry; anybody may send them, so the payload is checked by a guard in domain. */
export type DecisionSignalPayload = Omit<DecisionRequest, 'verdict'> & { readonly reason?: string };
export const approveSignal = defineSignal<[DecisionSignalPayload]>('approve');
export const denySignal = defineSignal<[DecisionSignalPayload]>('deny');

/** What a repair's update carries: `signed` (see `tollgate runs sign-repair`), or the repair itself, which is then unverified. */
export interface RepairPayload {
  readonly signed?: string;
  readonly reason?: string;
  readonly step?: number;
  readonly model?: string;
  readonly amountUsd?: string;
}

/** How an operator repairs a run that goes on. Rejected before history is written where the shape is wrong. */
export const repairUpdates = {
  pause: defineUpdate<RepairAnswer, [RepairPayload]>('pause'),
  resume: defineUpdate<RepairAnswer, [RepairPayload]>('resume'),
  skipStep: defineUpdate<RepairAnswer, [RepairPayload]>('skipStep'),
  useModel: defineUpdate<RepairAnswer, [RepairPayload]>('useModel'),
  raiseBudget: defineUpdate<RepairAnswer, [RepairPayload]>('raiseBudget'),
} as const satisfies Record<RepairType, unknown>;

/** Answers whether the question is taken; the agent's answer comes later, and stands at the gate. Rejected as a decision is. */
export const askQuestionUpdate = defineUpdate<QuestionAnswer, [QuestionRequest]>('askQuestion');

/** A message to a running run. Anybody may send it, so the payload is checked by a guard in domain. */
export const addUserMessageSignal = defineSignal<[UserMessage]>('addUserMessage');

export const getRunStatusQuery = defineQuery<RunStatusView>('getRunStatus');

export { SEARCH_ATTRIBUTES, type SearchAttributeTopic } from './search-attributes.ts';
