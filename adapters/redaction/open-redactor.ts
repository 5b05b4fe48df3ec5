import { TollgateError } from '../../contracts/failures.ts';
import type { OwnPattern, RedactionSettings } from '../../contracts/redaction.ts';
import type { Detector, Redactor } from '../../domain/redaction/port.ts';
import { createRedactor } from '../../domain/redaction/redactor.ts';
import { builtInDetectors } from './built-in.ts';
import { compileOwnPattern, patternProblems } from './own-patterns.ts';

/**
 * The redactor of a project: all built-in detectors and its own patterns, by its settings.
 * @throws TollgateError of type `invalidInput` that names every pattern that may not run.
 */
export function openRedactor(settings: RedactionSettings): Redactor {
  const problems = patternProblems(settings);
  if (problems.length > 0) throw new TollgateError('invalidInput', problems.map(({ path, message }) => `redaction.${path.join('.')}: ${message}`).join('\n'));
  const general = detectorsOf(settings.patterns);
  const byTenant = new Map(Object.entries(settings.tenants ?? {}).map(([tenant, { patterns }]) => [tenant, [...general, ...detectorsOf(patterns)]]));
  return createRedactor({ settings, detectors: builtInDetectors(), ownDetectors: (tenant) => byTenant.get(tenant) ?? general });
}

function detectorsOf(patterns: readonly OwnPattern[] = []): Detector[] {
  return patterns.flatMap((pattern) => {
    const compiled = compileOwnPattern(pattern);
    return compiled.type === 'detector' ? [compiled.detector] : [];
  });
}
