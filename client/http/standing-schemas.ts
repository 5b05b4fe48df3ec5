import { z } from 'zod';
import { conditionSchema, standingTermsSchema } from '../../contracts/statement.ts';
import { MAX_BATCH } from '../decision-batch.ts';
import { schemaRegistry } from './schemas.ts';

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

const text = z.string();
const when = z.string().describe('ISO 8601');
const words = z.string().min(1).max(1_000);
const name = z.string().min(1).max(100);
const id = z.string().min(1).max(100);
const moment = z.string().max(40).describe('ISO 8601');

// ── What comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

export const stopPath = z.object({ stopId: id });
export const standingPath = z.object({ standingId: id });
export const delegationPath = z.object({ delegationId: id });
export const listQuery = z.strictObject({ all: z.enum(['true', 'false']).optional().describe('Also what is lifted, over or revoked.') });
export const reasonBody = named('Reason', z.strictObject({ reason: words }));

export const stopBody = named(
  'StopRequest',
  z
    .strictObject({ tool: z.string().min(1).max(200).nullish(), task: name.nullish(), tenant: name.nullish(), models: z.boolean().optional(), reason: words })
    .describe('Every name that is given must fit; none given: everything.'),
);

const { tool, task, destination, free, maxUses, total } = standingTermsSchema.shape;
export const standingBody = named(
  'StandingRequest',
  z.strictObject({
    tool,
    tenant: name.optional().describe('Default: the tenant that the key is for.'),
    task,
    destination,
    conditions: z.array(conditionSchema).max(20).optional(),
    free: free.optional().describe('Arguments that may be anything. One that nothing is said about is not covered.'),
    maxUses,
    total,
    until: moment,
    comment: words.optional(),
  }),
);

export const signatureBody = named('StandingSignature', z.strictObject({ termsDigest: z.string().min(1).max(100), comment: words.optional() }));

export const delegationBody = named(
  'DelegationRequest',
  z.strictObject({
    to: z.string().min(1).max(200).describe('Who decides, by the name that decisions carry, such as `key:bob`.'),
    role: name,
    tenant: name.nullish(),
    from: moment.optional(),
    until: moment,
    comment: words.optional(),
  }),
);

export const batchBody = named(
  'DecisionBatch',
  z.strictObject({
    verdict: z.enum(['approve', 'deny']),
    decisions: z
      .array(z.strictObject({ approvalId: z.string().min(1).max(1_000), actionDigest: z.string().min(1).max(200) }))
      .min(1)
      .max(MAX_BATCH),
    comment: z.string().min(1).max(4_000).optional().describe('Of a denial: the reason.'),
  }),
);

// ── What goes out ──────────────────────────────────────────────────────────────────────────────────────────────────

const undone = z.looseObject({ by: text, reason: text, at: when }).nullable();
export const stopSchema = named(
  'Stop',
  z.looseObject({
    stopId: text,
    tool: text.nullable(),
    task: text.nullable(),
    tenant: text.nullable(),
    models: z.boolean(),
    reason: text,
    by: text,
    at: when,
    resumed: undone,
  }),
);
export const standingSchema = named(
  'StandingApproval',
  z.looseObject({
    standingId: text,
    termsDigest: text,
    tool: text,
    tenant: text,
    task: text.nullable(),
    destination: text.nullable(),
    conditions: z.array(conditionSchema),
    free: z.array(text),
    maxUses: z.int(),
    total: z.looseObject({ argument: text, atMost: z.number() }).nullable(),
    until: when,
    createdAt: when,
    grantedBy: z.array(text),
    uses: z.int(),
    used: z.number(),
    status: text,
    revoked: undone,
    summary: text,
  }),
);
export const delegationSchema = named(
  'Delegation',
  z.looseObject({
    delegationId: text,
    delegator: text,
    to: text,
    role: text,
    tenant: text.nullable(),
    from: when,
    until: when,
    comment: text.nullable(),
    status: text,
    revoked: undone,
  }),
);
export const batchSchema = named(
  'BatchAnswers',
  z.array(z.looseObject({ approvalId: text, answer: z.looseObject({ type: z.enum(['accepted', 'refused', 'undecided']), message: text }) })),
);
