import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { KeywordIndex } from './keyword-index.ts';
import { OWN_FORMS } from './own-forms.ts';
import { type CompiledRule, compileByLabel, compileByPrefix } from './rule.ts';
import { RULES_BY_LABEL } from './rules-by-label.ts';
import { RULES_BY_PREFIX } from './rules-by-prefix.ts';
import { type SecretlintRule, secretlintRules } from './secretlint.ts';

/** What only says that there is a secret stands behind what says whose. */
const VAGUE = new Set(['secret.generic', 'secret.password', 'secret.bearer-token', 'secret.authorization-header']);

/**
 * Finds secrets of about 200 vendors, private keys, credentials in addresses and headers, passwords by their label. One pass over
 * the text finds the keywords of all rules; a rule looks only at the places of its own.
 */
export function createSecretDetector(): Detector {
  const placed = [...OWN_FORMS, ...RULES_BY_PREFIX.map(compileByPrefix), ...RULES_BY_LABEL.map(compileByLabel)];
  const whole = secretlintRules();
  const keywords = [...new Set([...placed, ...whole].flatMap((rule) => rule.keywords))];
  const index = new KeywordIndex(keywords);
  const placedBy = keywords.map((keyword) => placed.filter((rule) => rule.keywords.includes(keyword)));
  const wholeBy = keywords.map((keyword) => whole.filter((rule) => rule.keywords.includes(keyword)));
  const always = whole.filter((rule) => rule.keywords.length === 0);

  return {
    name: 'secrets',
    types: [...new Set([...placed, ...whole].map(({ type }) => type))],
    find(text) {
      const findings: Finding[] = [];
      const called = new Set<SecretlintRule>(always);
      index.scan(text, (keyword, end) => {
        for (const rule of placedBy[keyword] as readonly CompiledRule[]) {
          const value = rule.valueAt(text, end - (keywords[keyword] as string).length, end);
          if (value !== null) findings.push({ type: rule.type, ...value });
        }
        for (const rule of wholeBy[keyword] as readonly SecretlintRule[]) called.add(rule);
      });
      for (const rule of called) findings.push(...rule.find(text));
      return [...findings.filter(({ type }) => !VAGUE.has(type)), ...findings.filter(({ type }) => VAGUE.has(type))];
    },
  };
}
