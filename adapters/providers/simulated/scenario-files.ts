import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { TollgateError } from '../../../contracts/failures.ts';
import { type Scenario, scenarioSchema } from './scenario.ts';

const MAX_SCENARIOS = 1_000;

/** The scenarios that are shipped: what the sample task meets. */
export const SHIPPED_SCENARIOS = fileURLToPath(new URL('./scenarios', import.meta.url));

/**
 * Reads scenario files in the order given; a folder gives its `.yaml`, `.yml` and `.json` files by name. A file holds one
 * scenario or a list.
 * @throws TollgateError invalidInput with every mistake of every file.
 */
export function loadScenarios(paths: readonly string[]): Scenario[] {
  const mistakes: string[] = [];
  const scenarios = paths.flatMap((path) => listFiles(path, mistakes)).flatMap((file) => readScenarioFile(file, mistakes));
  const ids = new Set<string>();
  for (const { id } of scenarios) {
    if (ids.has(id)) mistakes.push(`Two scenarios have the id "${id}". Rename one.`);
    ids.add(id);
  }
  if (scenarios.length > MAX_SCENARIOS) mistakes.push(`${scenarios.length} scenarios are too many; at most ${MAX_SCENARIOS} are loaded.`);
  if (mistakes.length > 0) throw new TollgateError('invalidInput', `The scenarios of the simulated provider can't be used:\n${mistakes.join('\n')}`);
  return scenarios;
}

function listFiles(path: string, mistakes: string[]): string[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) {
    mistakes.push(`${path}: there is no such file or folder.`);
    return [];
  }
  if (!stats.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function readScenarioFile(path: string, mistakes: string[]): Scenario[] {
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    mistakes.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  return (Array.isArray(content) ? content : [content]).flatMap((item) => {
    const result = scenarioSchema.safeParse(item);
    if (result.success) return [result.data];
    for (const issue of result.error.issues) mistakes.push(`${path}: ${issue.path.join('.') || 'the scenario'}: ${issue.message}.`);
    return [];
  });
}
