import { z } from 'zod';
import { type GatePolicy, gatePolicySchema, policyRuleSchema, refuseLateMoments } from '../../contracts/gate-policy.ts';
import { parseDuration } from './duration.ts';
import { nested } from './redaction-guide.ts';
import type { FieldGuide } from './schema-mistakes.ts';

export const DURATION = 'a duration such as 30m, 24h or 7d';

/** A duration as people write it; milliseconds from then on. */
export const duration = z.unknown().transform((value, context): number => {
  const milliseconds = typeof value === 'string' ? parseDuration(value) : null;
  if (milliseconds !== null) return milliseconds;
  context.addIssue({ code: 'invalid_type', expected: 'string', input: value });
  return z.NEVER;
});

const { approvers, role, expiresAfterMs, approvalValidForMs, rules, ...terms } = gatePolicySchema.shape;
const DEFAULT_EXPIRY_MS = expiresAfterMs.parse(undefined);

/** A gate policy in TypeScript: as the contract has it, what has a default left out where nobody says it. */
export const gateSpecSchema = z
  .strictObject({
    approvers: approvers.unwrap().optional(),
    role: role.unwrap().optional(),
    expiresAfterMs: expiresAfterMs.unwrap().optional(),
    approvalValidForMs: approvalValidForMs.unwrap().optional(),
    rules,
    ...terms,
  })
  .superRefine((gate, context) => refuseLateMoments({ ...gate, expiresAfterMs: gate.expiresAfterMs ?? DEFAULT_EXPIRY_MS }, context));

const times = {
  expiresAfter: duration.pipe(expiresAfterMs.unwrap()).optional(),
  approvalValidFor: duration.pipe(approvalValidForMs.unwrap()).optional(),
  escalateTo: z.strictObject({ role: role.unwrap(), after: duration.pipe(expiresAfterMs.unwrap()) }).optional(),
  remindBefore: duration.pipe(expiresAfterMs.unwrap()).optional(),
};
const { needs, limits, requesterMayDecide } = terms;
const people = { needs, limits, requesterMayDecide };
const ruleFileSchema = z.strictObject({
  when: policyRuleSchema.shape.when,
  approvers: approvers.unwrap().optional(),
  role: role.unwrap().optional(),
  ...people,
  ...times,
  shadow: policyRuleSchema.shape.shadow,
});

/** A gate policy in `task.yaml`: durations in words, and the rest as the contract has it. */
export const gateFileSchema = z
  .strictObject({ approvers, role, ...people, ...times, rules: z.array(ruleFileSchema).max(64).optional() })
  .superRefine(({ expiresAfter = DEFAULT_EXPIRY_MS, escalateTo, remindBefore }, context) =>
    refuseLateMoments({ expiresAfterMs: expiresAfter, escalateTo: escalateTo && { afterMs: escalateTo.after }, remindBeforeMs: remindBefore }, context, {
      escalateTo: 'after',
      remindBefore: 'remindBefore',
    }),
  );
export type GateFile = z.infer<typeof gateFileSchema>;

/** The policy that a task file says, with its defaults. */
export function gatePolicyOf(file: GateFile | undefined): GatePolicy {
  const { rules: ruleFiles, ...rest } = file ?? {};
  return gatePolicySchema.parse({ ...inMilliseconds(rest), ...(ruleFiles ? { rules: ruleFiles.map(inMilliseconds) } : {}) });
}

function inMilliseconds<Fields extends Partial<Pick<GateFile, keyof typeof times>>>(fields: Fields) {
  const { expiresAfter, approvalValidFor, escalateTo, remindBefore, ...rest } = fields;
  return {
    ...rest,
    ...(expiresAfter === undefined ? {} : { expiresAfterMs: expiresAfter }),
    ...(approvalValidFor === undefined ? {} : { approvalValidForMs: approvalValidFor }),
    ...(escalateTo === undefined ? {} : { escalateTo: { role: escalateTo.role, afterMs: escalateTo.after } }),
    ...(remindBefore === undefined ? {} : { remindBeforeMs: remindBefore }),
  };
}

const ROLE = 'the name of a role, such as finance';
const PEOPLE = 'a whole number of people, 1 to 16';
const CONDITIONS = 'a list of conditions, such as [{path: amount, operator: ">", value: 100}]';

const CONDITION_GUIDE: FieldGuide = {
  path: 'the name of an argument, with dots into objects and * for any element of a list, such as amount or items.*.price',
  operator: '>, >=, <, <=, ==, !=, in, notIn or present',
  value: 'a number, a text, true, false or null; a list of those for "in" and "notIn"',
};

const TERMS_GUIDE: FieldGuide = {
  approvers: PEOPLE,
  needs: 'a list of other roles that must approve too, such as [{role: finance, approvers: 1}]',
  'needs.*': '{role, approvers}',
  'needs.*.role': ROLE,
  'needs.*.approvers': PEOPLE,
  limits: 'a list of what holders of a role may approve, such as [{role: support, when: [{path: amount, operator: "<=", value: 50}]}]',
  'limits.*': '{role, when}',
  'limits.*.role': ROLE,
  'limits.*.when': CONDITIONS,
  ...nested('limits.*.when.*', CONDITION_GUIDE),
  requesterMayDecide: 'true or false',
};

const RULE_GUIDE: FieldGuide = {
  shadow: 'true or false',
  when: 'what must hold: {tool, tenant, arguments}, at least one of them',
  'when.tool': 'the name of a tool',
  'when.tenant': 'the name of a tenant',
  'when.arguments': CONDITIONS,
  'when.arguments.*': '{path, operator, value}',
  ...nested('when.arguments.*', CONDITION_GUIDE),
};

function withRules(fields: FieldGuide, example: string): FieldGuide {
  return {
    ...fields,
    rules: `a list of rules, such as [{when: {arguments: [{path: amount, operator: ">", value: 100}]}, approvers: 2}]`,
    'rules.*': example,
    ...nested('rules.*', { ...RULE_GUIDE, ...fields }),
  };
}

/** `gates.irreversible` and its like in `task.yaml`. */
export const GATE_FILE_GUIDE: FieldGuide = withRules(
  {
    ...TERMS_GUIDE,
    role: 'the name of the role that approvers hold, such as support-lead',
    expiresAfter: `${DURATION}, from 1s to 365d`,
    approvalValidFor: `${DURATION}, from 1s to 365d`,
    escalateTo: '{role, after}, such as {role: manager, after: 2h}',
    'escalateTo.role': ROLE,
    'escalateTo.after': `${DURATION}, shorter than expiresAfter`,
    remindBefore: `${DURATION}, shorter than expiresAfter`,
  },
  '{when, approvers, role, needs, expiresAfter}',
);

const MILLISECONDS = 'milliseconds, 1000 to 31536000000 (a year)';

/** The same in `tollgate.config.ts`. */
export const GATE_SPEC_GUIDE: FieldGuide = withRules(
  {
    ...TERMS_GUIDE,
    role: 'the name of the role that approvers hold',
    expiresAfterMs: MILLISECONDS,
    approvalValidForMs: MILLISECONDS,
    escalateTo: '{role, afterMs}',
    'escalateTo.role': ROLE,
    'escalateTo.afterMs': MILLISECONDS,
    remindBeforeMs: MILLISECONDS,
  },
  '{when, approvers, role, needs, expiresAfterMs}',
);
