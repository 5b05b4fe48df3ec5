import { z } from 'zod';
import { standingSchema } from './standing-schemas.ts';
import { gateSchema, MAX_LISTED, runSummarySchema, schemaRegistry } from './schemas.ts';

// What the inbox page asks for. Answers are loose, as everywhere: fields may be added.

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

const text = z.string();
const when = z.string().describe('ISO 8601');
const usd = z.string().describe('USD, as a decimal');
const standing = z
  .string()
  .describe('waitsForYou, overLimit, otherRole, yourOwnRun, youHaveDecided, countedAlready or closed; a hint, the gate itself decides.');

export const inboxQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(200) });
export const overviewQuery = z.strictObject({ days: z.coerce.number().int().min(1).max(90).default(14) });

const onBehalfOf = text.exactOptional().describe('Who has delegated the role to the caller that a decision would stand for.');
const waiting = { gate: gateSchema, task: text, tenant: text, feature: text, standing, onBehalfOf };
export const inboxSchema = named(
  'Inbox',
  z.looseObject({
    gates: z.array(z.looseObject(waiting)).describe('Those that expire first come first.'),
    total: z.int().describe('How many wait in all.'),
    now: when.describe('The clock by which gates expire.'),
  }),
);

export const gateContextSchema = named(
  'GateContext',
  z.looseObject({
    ...waiting,
    run: runSummarySchema,
    step: z.int().nullable(),
    said: text.nullable().describe('What the model last said before it asked.'),
    asked: text.nullable().describe('The last message of the person that the run works for.'),
    done: z.array(z.looseObject({ step: z.int(), tool: text, effect: text.nullable(), status: text })),
    calls: z.int(),
    spentUsd: usd,
    action: z.looseObject({ status: text, startedAt: when, endedAt: when.nullable() }).nullable(),
    grant: standingSchema.nullable().describe('The standing approval that approved it in place of people.'),
    others: z.array(z.looseObject({ approvalId: text, tool: text })),
    now: when,
  }),
);

export const timelineSchema = named(
  'Timeline',
  z.looseObject({
    agentRunId: text,
    firstExecutionRunId: text,
    spans: z.array(
      z.looseObject({
        type: text.describe('attempt, toolCall or gate'),
        step: z.int().nullable(),
        label: text,
        status: text,
        startedAt: when,
        endedAt: when.nullable(),
        costUsd: usd.nullable().exactOptional(),
        approvalId: text.exactOptional(),
      }),
    ),
    total: z.int(),
    now: when,
    temporalUrl: text.nullable().describe('The run in the Temporal Web UI, where the address of that is set.'),
    traceUrl: text.nullable().describe('Its trace, where it is set where traces are shown.'),
  }),
);

const spend = { settledUsd: usd, heldUsd: usd, attempts: z.int() };
const ms = z.int().nullable();
const waits = { gates: z.int(), decided: z.int(), expired: z.int(), medianMs: ms, p95Ms: ms };
const runs = z.record(z.string(), z.int()).describe('Runs by status.');
const budgets = z.looseObject({ limitUsd: usd, usedUsd: usd }).describe('Budgets of runs that draw on no other’s.');
export const overviewSchema = named(
  'Overview',
  z.looseObject({
    since: when,
    now: when,
    days: z.array(z.looseObject({ day: text, ...spend })),
    byTask: z.array(z.looseObject({ task: text, ...spend, ...waits, budgets, runs })),
    byTenant: z.array(z.looseObject({ tenant: text, ...spend, ...waits, budgets, runs })),
    budgets,
    waiting: z.looseObject({ ...waits, open: z.int() }),
    isComplete: z.boolean().describe('False where there was more than is summed.'),
  }),
);
