import { z } from 'zod';
import { MAX_LISTED, schemaRegistry } from './schemas.ts';

// Bodies, queries and answers of the routes about money whose fate is open. Answers are loose, as everywhere.

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

/** How long a request waits for a reconciliation, in milliseconds. */
export const RECONCILE_WAIT_MS = 20_000;
const MAX_REASON_LENGTH = 4_000;

const text = z.string();
const when = z.string().describe('ISO 8601');
const usd = z.string().describe('USD, as a decimal');
const count = z.int();
const amount = z.looseObject({ attempts: count, usd });
const duration = z.coerce.number().int().min(0).max(31_536_000_000);
const cursor = z.coerce.number().int().min(0);

export const attemptPath = z.object({ attemptId: z.string().min(1).max(200) });
export const heldQuery = z.strictObject({
  agentRunId: z.string().min(1).max(1_000).optional(),
  tenant: z.string().min(1).max(100).optional(),
  olderThanMs: duration.optional(),
  cursor: cursor.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100),
});
export const reconcileBody = named(
  'Reconcile',
  z.strictObject({ agentRunId: z.string().min(1).max(1_000).optional(), olderThanMs: duration.optional(), cursor: cursor.optional() }),
);
export const reasonBody = named('Reason', z.strictObject({ reason: z.string().min(1).max(MAX_REASON_LENGTH).describe('The audit keeps it.') }));
export const resetBoundBody = named(
  'ResetBound',
  z.strictObject({ model: z.string().min(1).max(200), endpoint: z.string().min(1).max(100), reason: z.string().min(1).max(MAX_REASON_LENGTH) }),
);

export const heldSchema = named(
  'HeldAttempt',
  z.looseObject({
    attemptId: text,
    agentRunId: text,
    firstExecutionRunId: text,
    tenant: text,
    task: text,
    step: count,
    model: text,
    provider: text,
    endpoint: text,
    heldUsd: usd,
    reservedAt: when,
    outcome: text.nullable().describe('What the run was told; null where a sender may still be at work.'),
    lookup: z.looseObject({ lookedAt: when, looks: count, nextAt: when, answer: text }).nullable(),
    cursor: count,
  }),
);
export const openMoneySchema = named(
  'OpenMoney',
  z.looseObject({ held: z.looseObject({ attempts: count, usd, oldestReservedAt: when.nullable() }), writtenOff: amount, overruns: amount }),
);
export const boundSchema = named('Bound', z.looseObject({ model: text, endpoint: text, factor: z.number(), raises: count, changedAt: when }));
export const wasRaisedSchema = z.looseObject({ wasRaised: z.boolean() });
export const reconciledSchema = named(
  'Reconciled',
  z.looseObject({
    type: z.literal('reconciled'),
    looked: count,
    settled: count,
    settledUsd: usd,
    released: count,
    kept: count,
    inFlight: count,
    nextCursor: count.nullable(),
  }),
);
export const reconcilingSchema = named('Reconciling', z.looseObject({ type: z.literal('running'), reconciliationId: text }));
export const writtenOffSchema = named(
  'WrittenOff',
  z.looseObject({ attemptId: text, agentRunId: text, writtenOffUsd: usd, reason: text, changed: z.boolean() }),
);
