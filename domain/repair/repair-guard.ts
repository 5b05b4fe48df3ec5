import type { Repair, RepairRequest, RepairType } from '../../contracts/repair.ts';
import { parseUsd } from '../budget/price.ts';

const MAX_SIGNED_LENGTH = 16_000;
const MAX_REASON_LENGTH = 1_000;
const MAX_MODEL_LENGTH = 200;
const MAX_STEP = 1_000_000;
const MAX_RAISE_NANO_USD = 1_000_000_000_000_000;

/** Reads what a stranger sent as a repair of kind `type`. Null where it has not the shape of one. Never throws, whatever it is given. */
export function readRepairRequest(payload: unknown, type: RepairType): RepairRequest | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const { signed, reason, ...fields } = payload as Record<string, unknown>;
  if (signed !== undefined && signed !== null) return isText(signed, MAX_SIGNED_LENGTH) ? { type: 'signed', of: type, signed } : null;
  if (!isText(reason, MAX_REASON_LENGTH)) return null;
  const repair = readRepair(fields, type);
  return repair && { type: 'bare', repair, reason };
}

function readRepair({ step, model, amountUsd }: Record<string, unknown>, type: RepairType): Repair | null {
  switch (type) {
    case 'pause':
    case 'resume':
      return { type };
    case 'skipStep':
      return typeof step === 'number' && Number.isSafeInteger(step) && step >= 1 && step <= MAX_STEP ? { type, step } : null;
    case 'useModel':
      return isText(model, MAX_MODEL_LENGTH) ? { type, model } : null;
    case 'raiseBudget': {
      const amountNanoUsd = typeof amountUsd === 'string' && amountUsd.length <= 40 ? parseUsd(amountUsd) : null;
      return amountNanoUsd !== null && amountNanoUsd >= 1 && amountNanoUsd <= MAX_RAISE_NANO_USD ? { type, amountNanoUsd } : null;
    }
  }
}

/** What the sender of something else is told. */
export const REPAIR_SHAPES =
  'A repair is one object: {signed} as "tollgate runs sign-repair" prints it, or {reason} with {step} for skipStep, {model} for useModel, {amountUsd: "0.50"} for raiseBudget.';

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= maxLength;
}
