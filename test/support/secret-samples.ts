import fc from 'fast-check';
import type { SecretRule } from '../../adapters/redaction/secrets/rule.ts';

/**
 * A value of a rule's form, made now and different each time: a literal one in a file would look like a leak to those who scan this
 * repository. Without modifiers and look-ahead, which the generator does not know, and mostly letters and digits.
 */
export function sampleOf([, , form]: SecretRule, seed: number): string {
  const plain = form
    .replaceAll(/\(\?-?i:/g, '(?:')
    .replaceAll(/\(\?=[^)]*\)/g, '')
    .replaceAll(/\[\\w[^\]]*\]/g, '[a-zA-Z0-9]');
  // The first ones of fast-check are edge cases, with the same character over and over.
  return fc.sample(fc.stringMatching(new RegExp(`^(?:${plain})$`)), { numRuns: 20, seed }).at(-1) ?? '';
}
