import { z } from 'zod';

// What an operator does to a run that goes on. Each kind is a Temporal update of its own (contracts/temporal.ts).

/** The most that one repair raises a budget by: a million USD. */
const MAX_RAISE_NANO_USD = 1_000_000_000_000_000;

export const repairSchema = z.discriminatedUnion('type', [
  /** No new model call and no tool starts until `resume`. */
  z.strictObject({ type: z.literal('pause') }),
  z.strictObject({ type: z.literal('resume') }),
  /** Gives up what is left of the step with that number. */
  z.strictObject({ type: z.literal('skipStep'), step: z.int().min(1).max(1_000_000) }),
  /** The steps to come ask this model first. */
  z.strictObject({ type: z.literal('useModel'), model: z.string().min(1).max(200) }),
  z.strictObject({ type: z.literal('raiseBudget'), amountNanoUsd: z.int().min(1).max(MAX_RAISE_NANO_USD) }),
]);
export type Repair = z.infer<typeof repairSchema>;
export type RepairType = Repair['type'];

/** A repair as signed by the API or the CLI for a person it has verified. It counts for this very run alone, and once. */
export const repairStatementSchema = z.strictObject({
  version: z.literal(1),
  statement: z.literal('repair'),
  repairId: z.string().min(8).max(100),
  agentRunId: z.string().min(1).max(1_000),
  firstExecutionRunId: z.string().min(1).max(100),
  repair: repairSchema,
  reason: z.string().min(1).max(1_000),
  actor: z.string().min(1).max(200),
  roles: z.array(z.string().min(1).max(100)).max(64),
  issuedAtMs: z.int().min(0),
  /** After this moment it no longer counts as a new repair. */
  expiresAtMs: z.int().min(0),
});
export type RepairStatement = z.infer<typeof repairStatementSchema>;

/** What the updates carry: a signed statement, or the repair in plain words, which counts only where the configuration allows it. */
export type RepairRequest =
  | { readonly type: 'signed'; readonly of: RepairType; readonly signed: string }
  | { readonly type: 'bare'; readonly repair: Repair; readonly reason: string };

export type RepairRefusal =
  | 'malformed'
  | 'badSignature'
  | 'unsignedNotAllowed'
  | 'wrongRun'
  | 'wrongRole'
  | 'requesterMayNotDecide'
  | 'signatureExpired'
  | 'tooManyRepairs'
  | 'ended'
  | 'wrongStep'
  | 'nothingToSkip'
  | 'inDoubt'
  | 'modelNotAllowed'
  | 'budgetTooLarge';

export type RepairAnswer =
  /** Done. `repairId` names it in the audit. */
  | { readonly type: 'accepted'; readonly repairId: string; readonly message: string }
  /** What was asked for holds already: this very repair was made before, or the run is as it asks. Nothing was changed. */
  | { readonly type: 'unchanged'; readonly message: string }
  | { readonly type: 'refused'; readonly reason: RepairRefusal; readonly message: string };

/** What holds a run back, as operators see it. */
export interface PauseView {
  readonly by: string;
  readonly reason: string;
  /** On the workflow's clock. */
  readonly sinceMs: number;
}
