import { TollgateError } from '../../contracts/failures.ts';
import type { OwnPattern, RedactionSettings } from '../../contracts/redaction.ts';
import type { Detector, Redactor } from '../../domain/redaction/port.ts';
import { createRedactor } from '../../domain/redaction/redactor.ts';
import { builtInDetectors } from './built-in.ts';
import { compileOwnPattern } from './own-patterns.ts';

export interface PatternProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

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

/** Every pattern of the settings that may not run, with its place and the reason. */
export function patternProblems(settings: RedactionSettings): PatternProblem[] {
  const tenants = Object.entries(settings.tenants ?? {}).flatMap(([tenant, { patterns }]) => problemsOf(patterns, ['tenants', tenant, 'patterns']));
  return [...problemsOf(settings.patterns, ['patterns']), ...tenants];
}

function problemsOf(patterns: readonly OwnPattern[] = [], path: readonly (string | number)[]): PatternProblem[] {
  return patterns.flatMap((pattern, index) => {
    const compiled = compileOwnPattern(pattern);
    return compiled.type === 'refused' ? [{ path: [...path, index, 'pattern'], message: `the pattern "${pattern.name}" may not run. ${compiled.reason}` }] : [];
  });
}

function detectorsOf(patterns: readonly OwnPattern[] = []): Detector[] {
  return patterns.flatMap((pattern) => {
    const compiled = compileOwnPattern(pattern);
    return compiled.type === 'detector' ? [compiled.detector] : [];
  });
}
