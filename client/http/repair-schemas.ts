import { z } from 'zod';
import { repairSchema } from '../../contracts/repair.ts';

const text = z.string();
const given = {
  reason: z.string().min(1).max(1_000).describe('Why, for the audit.'),
  repairId: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{7,99}$/, 'letters, digits, "_", ".", ":" and "-", 8 to 100')
    .optional()
    .describe('The same id again for the same run is the same repair.'),
};
const [pause, resume, skipStep, useModel] = repairSchema.options;
const raiseBudget = z.strictObject({
  type: z.literal('raiseBudget'),
  amountUsd: z.string().regex(/^\d{1,7}(\.\d{1,9})?$/, 'an amount in USD, such as "0.50"'),
});

export const pauseBody = z.strictObject(given);
export const repairBody = z.discriminatedUnion('type', [skipStep.extend(given), useModel.extend(given), raiseBudget.extend(given)]);
export const signRepairBody = z.discriminatedUnion('type', [
  pause.extend(given),
  resume.extend(given),
  skipStep.extend(given),
  useModel.extend(given),
  raiseBudget.extend(given),
]);

export const repairedSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('accepted'), repairId: text, message: text }),
  z.looseObject({ type: z.literal('unchanged'), message: text }),
]);
export const repairUndecidedSchema = z.looseObject({ type: z.literal('undecided'), message: text });
export const signedRepairSchema = z.looseObject({
  agentRunId: text,
  update: z.enum(['pause', 'resume', 'skipStep', 'useModel', 'raiseBudget']),
  payload: z.looseObject({ signed: text }),
  expiresAt: text,
});
