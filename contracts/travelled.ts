import { z } from 'zod';
import { redactionActionSchema } from './redaction.ts';

const triggerSchema = z.strictObject({ type: z.string().min(1).max(100), action: redactionActionSchema, count: z.int().min(1) });

/** What a client's redaction leaves beside a text: the values it took out, sealed for the tenant, and what it found. */
export const travelledSchema = z.strictObject({
  version: z.literal(1),
  /** Base64 of the sealed JSON of `sealedValuesSchema`. Absent where nothing was tokenised. */
  sealed: z.string().max(1_000_000).optional(),
  /** The same in the store, by its digest, where it is too long for history. */
  sealedDigest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  triggers: z.array(triggerSchema).max(1_000),
});
export type Travelled = z.infer<typeof travelledSchema>;

/** Token, type and value of each. */
export const sealedValuesSchema = z.array(z.tuple([z.string().max(200), z.string().max(100), z.string()])).max(100_000);
