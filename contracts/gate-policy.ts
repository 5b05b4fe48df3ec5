import { z } from 'zod';
import type { JsonValue } from './json.ts';

const role = z.string().min(1).max(100);
const approvers = z.int().min(1).max(16);
const YEAR_MS = 365 * 86_400_000;
const span = z.int().min(1_000).max(YEAR_MS);

export const ORDERING_OPERATORS = ['>', '>=', '<', '<='] as const;
export const CONDITION_OPERATORS = [...ORDERING_OPERATORS, '==', '!=', 'in', 'notIn', 'present'] as const;
export type ConditionOperator = (typeof CONDITION_OPERATORS)[number];

const scalar = z.union([z.string().max(1_000), z.number(), z.boolean(), z.null()]);

/**
 * What must be so of one argument. `path` names it with dots, `*` for any element of a list: `items.*.price`. Numbers are
 * compared as numbers, also where the argument is a text such as "12.50". `present` takes no value.
 */
export const conditionSchema = z
  .strictObject({
    path: z
      .string()
      .max(200)
      .regex(/^[^.\s]+(\.[^.\s]+)*$/, 'names of arguments with dots between them, such as amount or items.*.price'),
    operator: z.enum(CONDITION_OPERATORS),
    value: z.union([scalar, z.array(scalar).max(200)]).optional(),
  })
  .superRefine(({ operator, value }, context) => {
    const problem = valueProblem(operator, value);
    if (problem !== null) context.addIssue({ code: 'custom', path: ['value'], message: problem });
  });
export type Condition = z.infer<typeof conditionSchema>;

function valueProblem(operator: ConditionOperator, value: JsonValue | undefined): string | null {
  if (operator === 'present') return value === undefined ? null : 'the operator "present" takes no value. Remove it.';
  if (value === undefined) return `the operator "${operator}" compares with a value. Add "value".`;
  if (operator === 'in' || operator === 'notIn') return Array.isArray(value) ? null : `the operator "${operator}" takes a list, such as ["EU", "UK"].`;
  if (Array.isArray(value)) return `the operator "${operator}" takes one value, and this is a list. Use "in" or "notIn".`;
  const mustBeNumber = (ORDERING_OPERATORS as readonly string[]).includes(operator);
  return mustBeNumber && typeof value !== 'number' ? `the operator "${operator}" compares numbers, such as 100.` : null;
}

const conditions = z.array(conditionSchema).min(1).max(16);

/** So many different people of one role. */
export const quorumSchema = z.strictObject({ role, approvers });
export type Quorum = z.infer<typeof quorumSchema>;

/** What holders of a role may approve, and edit an action to. Every condition must be known to hold. */
export const roleLimitSchema = z.strictObject({ role, when: conditions });
export type RoleLimit = z.infer<typeof roleLimitSchema>;

const terms = {
  /** Other roles that must approve beside `role`. A person counts once, for one of them. */
  needs: z.array(quorumSchema).max(8).optional(),
  /** Unset: holders of a role may approve whatever the gate shows. */
  limits: z.array(roleLimitSchema).max(16).optional(),
  /** After `afterMs` without a decision, holders of this role may decide too. */
  escalateTo: z.strictObject({ role, afterMs: span }).optional(),
  /** So long before it expires, those who may decide are reminded. */
  remindBeforeMs: span.optional(),
  /** Whether the person who asked for the run may decide. Unset: true with the local development key, else false. */
  requesterMayDecide: z.boolean().optional(),
  /** False: people look at each action, and no standing approval counts. */
  standing: z.boolean().optional(),
};

/** Changes a policy where all of `when` holds. A rule that is `shadow` is only written down: the audit says what it would have changed. */
export const policyRuleSchema = z.strictObject({
  when: z
    .strictObject({ tool: z.string().min(1).max(100).optional(), tenant: z.string().min(1).max(100).optional(), arguments: conditions.optional() })
    .refine((when) => Object.keys(when).length > 0, 'a rule says when it applies: "tool", "tenant" or "arguments".'),
  approvers: approvers.optional(),
  role: role.optional(),
  expiresAfterMs: span.optional(),
  approvalValidForMs: span.optional(),
  ...terms,
  shadow: z.boolean().optional(),
});
export type PolicyRule = z.infer<typeof policyRuleSchema>;

export const gatePolicySchema = z
  .strictObject({
    /** How many different people must approve. */
    approvers: approvers.default(1),
    /** The role an approver must hold. */
    role: role.default('approver'),
    /** How long a gate stays open, in milliseconds. Expiry denies. */
    expiresAfterMs: span.default(86_400_000),
    /** How long an approval may be used after it was given, in milliseconds. */
    approvalValidForMs: span.default(86_400_000),
    ...terms,
    /** Applied in this order; a later one overrides what an earlier one said. */
    rules: z.array(policyRuleSchema).max(64).optional(),
  })
  .superRefine((policy, context) => refuseLateMoments(policy, context));

/** Refuses moments that a gate does not live to see. `names` says what their fields are called where that is not as here. */
export function refuseLateMoments(
  {
    expiresAfterMs,
    escalateTo,
    remindBeforeMs,
  }: { readonly expiresAfterMs: number; readonly escalateTo?: { readonly afterMs: number } | undefined; readonly remindBeforeMs?: number | undefined },
  context: z.core.$RefinementCtx,
  names = { escalateTo: 'afterMs', remindBefore: 'remindBeforeMs' },
): void {
  const within = (path: string[], ms: number | undefined) => {
    if (ms === undefined || ms < expiresAfterMs) return;
    const message = `${ms / 1_000} s is not shorter than the gate stays open, ${expiresAfterMs / 1_000} s. Make it shorter, or let the gate stay open longer.`;
    context.addIssue({ code: 'custom', path, message, input: ms });
  };
  within(['escalateTo', names.escalateTo], escalateTo?.afterMs);
  within([names.remindBefore], remindBeforeMs);
}

/** As a gate's row has it: what holds for its very arguments, without rules. */
export type GatePolicy = z.infer<typeof gatePolicySchema>;
