import { z } from 'zod';
import { MAX_QUESTION_LENGTH } from '../attention-door.ts';
import { schemaRegistry } from './schemas.ts';

function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaRegistry.add(schema, { id });
  return schema;
}

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('What the gate showed when the question was written.');

export const questionBody = named(
  'QuestionRequest',
  z.strictObject({
    text: z.string().min(1).max(MAX_QUESTION_LENGTH),
    actionDigest: digest,
    questionId: z.string().min(1).max(100).optional().describe('The same id again is the same question. Default: made up.'),
  }),
);

export const questionTakenSchema = named(
  'QuestionTaken',
  z.looseObject({
    type: z.literal('accepted'),
    questionId: z.string(),
    gateStatus: z.string(),
    message: z.string(),
  }),
);

export const questionUndecidedSchema = named('QuestionUndecided', z.looseObject({ type: z.literal('undecided'), questionId: z.string(), message: z.string() }));
