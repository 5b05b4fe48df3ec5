import type { FieldGuide } from './schema-mistakes.ts';

const RULES = 'actions by type, such as {email: "tokenise", secret: "mask", "*": "tokenise"}';
const ACTION = '"mask", "tokenise", "drop", "block" or "allow"';
const REGION = 'an ISO 3166-1 code of two capitals, such as DE';

const RULES_GUIDE: FieldGuide = {
  rules: RULES,
  'rules.*': ACTION,
  features: 'rules by the name of a feature',
  'features.*': RULES,
  'features.*.*': ACTION,
};

const LAYER_GUIDE: FieldGuide = {
  ...RULES_GUIDE,
  regions: 'a list of regions, most likely first, such as ["DE", "AT"]',
  'regions.*': REGION,
  patterns: 'a list of {name, pattern}',
  'patterns.*': '{name, pattern, ignoreCase}',
  'patterns.*.name': 'words in small letters joined by hyphens, such as customer-number',
  'patterns.*.pattern': 'a JavaScript regular expression of at most 500 characters, without slashes',
  'patterns.*.ignoreCase': 'true or false',
};

/** `redaction` of a task, in a file and in TypeScript. */
export const TASK_REDACTION_GUIDE: FieldGuide = { redaction: `{rules, features}`, ...nested('redaction', RULES_GUIDE) };

/** `redaction` of a project. */
export const REDACTION_GUIDE: FieldGuide = {
  redaction: '{rules, features, regions, patterns, tenants}',
  ...nested('redaction', {
    ...LAYER_GUIDE,
    tenants: 'settings by the name of a tenant',
    'tenants.*': '{rules, features, regions, patterns}',
    ...nested('tenants.*', LAYER_GUIDE),
    onDetectorFailure: '"block" or "goOn"',
  }),
};

export function nested(prefix: string, guide: FieldGuide): FieldGuide {
  return Object.fromEntries(Object.entries(guide).map(([field, expected]) => [`${prefix}.${field}`, expected]));
}
