import { z } from 'zod';
import { repairStatementSchema } from './repair.ts';

// What people sign beside decisions at gates. A statement is never taken for a decision, nor one kind for another: each
// shape is strict, and says what it is.

const id = z.string().min(1).max(100);
const name = z.string().min(1).max(200);
const roles = z.array(z.string().min(1).max(100)).max(64);
const words = z.string().min(1).max(1_000);
const atMs = z.int().min(0);
const amount = z.number().min(0).max(1_000_000_000);

/** What one top-level argument must be. */
export const conditionSchema = z.discriminatedUnion('op', [
  z.strictObject({ argument: z.string().min(1).max(200), op: z.literal('eq'), value: z.union([z.string().max(1_000), z.number(), z.boolean()]) }),
  z.strictObject({
    argument: z.string().min(1).max(200),
    op: z.literal('in'),
    values: z
      .array(z.union([z.string().max(200), z.number()]))
      .min(1)
      .max(50),
  }),
  z.strictObject({ argument: z.string().min(1).max(200), op: z.literal('atMost'), value: amount }),
]);
export type Condition = z.infer<typeof conditionSchema>;

/** What a standing approval permits. An argument that is neither in a condition, nor the total, nor in `free`, is not covered. */
export const standingTermsSchema = z.strictObject({
  tool: z.string().min(1).max(200),
  tenant: z.string().min(1).max(100),
  /** Only for runs of this task. */
  task: z.string().min(1).max(100).optional(),
  /** Only for this destination, as gates show it. */
  destination: z.string().min(1).max(2_000).optional(),
  conditions: z.array(conditionSchema).max(20),
  /** Top-level arguments that may be anything. */
  free: z.array(z.string().min(1).max(200)).max(50),
  /** How many actions. */
  maxUses: z.int().min(1).max(10_000),
  /** The most that a numeric argument may come to in all. */
  total: z.strictObject({ argument: z.string().min(1).max(200), atMost: amount }).optional(),
  untilMs: atMs,
});
export type StandingTerms = z.infer<typeof standingTermsSchema>;

/** One person's signature under a standing approval; a quorum of them permits. */
export const standingGrantSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('standingGrant'),
  standingId: id,
  terms: standingTermsSchema,
  granter: name,
  roles,
  comment: words.optional(),
  issuedAtMs: atMs,
});
export type StandingGrant = z.infer<typeof standingGrantSchema>;

/** "While I am away, `to` decides in my place where my role `role` is asked for." */
export const delegationSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('delegation'),
  delegationId: id,
  /** Null: at gates of every tenant. */
  tenant: z.string().min(1).max(100).nullable(),
  delegator: name,
  /** What the delegator holds. */
  roles,
  to: name,
  role: z.string().min(1).max(100),
  fromMs: atMs,
  untilMs: atMs,
  comment: words.optional(),
  issuedAtMs: atMs,
});
export type Delegation = z.infer<typeof delegationSchema>;

/** Holds actions back. Every field that is set must fit; none set: everything. */
export const stopScopeSchema = z.strictObject({
  tool: z.string().min(1).max(200).nullable(),
  task: z.string().min(1).max(100).nullable(),
  tenant: z.string().min(1).max(100).nullable(),
});
export type StopScope = z.infer<typeof stopScopeSchema>;

export const stopSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('stop'),
  stopId: id,
  scope: stopScopeSchema,
  /** Whether model calls are held back too. */
  models: z.boolean(),
  reason: words,
  actor: name,
  issuedAtMs: atMs,
});
export type Stop = z.infer<typeof stopSchema>;

/** Lifts exactly one stop. */
export const resumeSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('resume'),
  stopId: id,
  reason: words,
  actor: name,
  issuedAtMs: atMs,
});
export type Resume = z.infer<typeof resumeSchema>;

/** Takes a standing approval or a delegation back, for good. */
export const revocationSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('revocation'),
  of: id,
  reason: words,
  actor: name,
  issuedAtMs: atMs,
});
export type Revocation = z.infer<typeof revocationSchema>;

/** A person asks the agent of a run something about what one of its gates shows. It is no decision, and changes nothing. */
export const questionSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('question'),
  questionId: id,
  agentRunId: z.string().min(1).max(1_000),
  firstExecutionRunId: id,
  approvalId: id,
  actionDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Redacted by the client. */
  text: z.string().min(1).max(4_000),
  asker: name,
  /** How people call the asker. Proves nothing. */
  displayName: name.optional(),
  roles,
  /** After this moment it is not taken any more. */
  expiresAtMs: atMs,
});
export type Question = z.infer<typeof questionSchema>;

export const statementSchema = z.discriminatedUnion('statement', [
  standingGrantSchema,
  delegationSchema,
  stopSchema,
  resumeSchema,
  revocationSchema,
  repairStatementSchema,
  questionSchema,
]);
export type Statement = z.infer<typeof statementSchema>;

/** A statement as it travels, signed like a decision: `<base64url of the JSON>.<base64url of its Ed25519 signature>`. */
export type SignedStatement = string;
