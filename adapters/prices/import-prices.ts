import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { TollgateError } from '../../contracts/failures.ts';
import type { PriceImport, PriceImportOptions } from '../../domain/budget/price-explanation.ts';
import { importLiteLlmMap } from './litellm-map.ts';
import { type PriceFile, priceFileSchema } from './override-file.ts';

/**
 * Writes LiteLLM's price map as a price file of ours. Entries that can't be priced by their tokens are left out, each with its
 * reason. Nothing is written where no entry is left. @throws TollgateError `invalidInput` where the map can't be read.
 */
export function importPriceFile({ file, out, models: only, source, date, nowMs }: PriceImportOptions & { readonly nowMs: number }): PriceImport {
  const day = date ?? new Date(nowMs).toISOString().slice(0, 10);
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day))) throw new TollgateError('invalidInput', `"${day}" is no date such as 2026-11-25.`);
  const { models, refused } = importLiteLlmMap(readJson(file), { date: day, ...(only ? { only } : {}) });
  if (models.length === 0) return { imported: 0, refused, out: null };
  const priceFile: PriceFile = { version: 1, source: source ?? `LiteLLM's price map (${basename(file)})`, date: day, models: [...models] };
  priceFileSchema.parse(priceFile);
  writeFileSync(`${out}.part`, `${JSON.stringify(priceFile, null, 1)}\n`);
  renameSync(`${out}.part`, out);
  return { imported: models.length, refused, out };
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new TollgateError('invalidInput', `The price map ${file} can't be read: ${(error as Error).message}`);
  }
}
