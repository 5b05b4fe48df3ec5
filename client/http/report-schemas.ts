import { z } from 'zod';
import { REPORT_DIMENSIONS } from '../../domain/report/store-port.ts';
import { MAX_COMMENT_LENGTH } from '../feedback.ts';
import { MAX_GROUPS } from '../usage-report.ts';
import { schemaRegistry } from './schemas.ts';

// Bodies, queries and answers of reports and feedback. Answers are loose, as everywhere.

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

const text = z.string();
const count = z.int();
const usd = z.string().describe('USD, as a decimal');
const when = z.string().describe('ISO 8601');
const moment = z.string().min(1).max(60).describe('A day, a moment in ISO 8601 with its time zone, or how long ago, such as 7d');

export const feedbackBody = named(
  'GiveFeedback',
  z.strictObject({
    score: z.number().min(-1).max(1).describe('From -1 (bad) to 1 (good).'),
    label: z.string().min(1).max(64).optional().describe('A word that feedback is grouped by.'),
    comment: z.string().max(MAX_COMMENT_LENGTH).optional().describe('Kept with values masked.'),
    step: z.int().min(1).optional().describe('The step it is about; without it, the run as a whole.'),
    feedbackId: z.string().min(1).max(100).optional().describe('The same id again changes nothing.'),
  }),
);
export const feedbackGivenSchema = named('FeedbackGiven', z.looseObject({ feedbackId: text, changed: z.boolean() }));

export const usageQuery = z.strictObject({
  by: z.enum(REPORT_DIMENSIONS as [(typeof REPORT_DIMENSIONS)[number], ...(typeof REPORT_DIMENSIONS)[number][]]).default('task'),
  from: moment.optional(),
  to: moment.optional(),
  tenant: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_GROUPS).default(MAX_GROUPS),
});

const percentiles = z.looseObject({ p50Ms: count, p95Ms: count, p99Ms: count }).nullable();
const lineSchema = named(
  'UsageLine',
  z.looseObject({
    key: text,
    settledUsd: usd,
    heldUsd: usd,
    writtenOffUsd: usd,
    overrunUsd: usd,
    estimatedUsd: usd,
    estimateFactor: z.number().nullable().describe('How many times its charge was reserved for an attempt.'),
    tokens: z.looseObject({ input: count, cachedInput: count, cacheWrite: count, output: count, reasoning: count }),
    attempts: z.looseObject({ count, replies: count, fallbacks: count, inFlight: count, successRate: z.number().nullable() }),
    latency: percentiles,
    runs: z.looseObject({ count, ended: z.record(z.string(), count), successRate: z.number().nullable(), budgetUsd: usd }).nullable(),
    gates: z.looseObject({ count, open: count, approved: count, denied: count, expired: count, wait: percentiles }).nullable(),
    feedback: z.looseObject({ count, meanScore: z.number().nullable() }).nullable(),
  }),
);
export const usageSchema = named(
  'Usage',
  z.looseObject({ by: text, from: when, to: when, tenant: text.nullable(), total: lineSchema, groups: z.array(lineSchema), isMore: z.boolean() }),
);
