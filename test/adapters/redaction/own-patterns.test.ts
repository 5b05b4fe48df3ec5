import { describe, expect, test } from 'vitest';
import { openRedactor } from '../../../adapters/redaction/open-redactor.ts';
import { compileOwnPattern } from '../../../adapters/redaction/own-patterns.ts';
import { toProject } from '../../../adapters/tasks/project.ts';
import type { RedactionSettings } from '../../../contracts/redaction.ts';
import { exitOptions } from '../../support/redaction.ts';

const redact = (settings: RedactionSettings, text: string, tenant = 'acme'): string => openRedactor(settings).redactText(text, exitOptions({ tenant })).text;

describe("a team's own patterns", () => {
  test('are found, for everybody or for one tenant, and group 1 is the value', () => {
    const settings: RedactionSettings = {
      patterns: [{ name: 'ticket', pattern: String.raw`TCK-\d{6}` }],
      tenants: { acme: { patterns: [{ name: 'customer', pattern: String.raw`customer (\d{5})`, ignoreCase: true }], rules: { own: 'mask' } } },
    };
    expect(redact(settings, 'TCK-123456 of Customer 12345')).toBe('⟦own.ticket⟧ of Customer ⟦own.customer⟧');
    expect(redact(settings, 'TCK-123456 of Customer 12345', 'other')).toBe('⟦own.ticket:1⟧ of Customer 12345');
  });

  test('a value on the edge of a window is whole', () => {
    const settings: RedactionSettings = { patterns: [{ name: 'ticket', pattern: String.raw`TCK-\d{6}` }], rules: { own: 'mask' } };
    for (let before = 985; before < 1_005; before++) expect(redact(settings, `${'x'.repeat(before)} TCK-123456`)).toBe(`${'x'.repeat(before)} ⟦own.ticket⟧`);
  });

  test.each([
    '(a+)+$',
    '(a*)*',
    '(?:[a-z]+,?)+!',
    '(?:\\d{1,20}){2,9}x',
    '(a|a)*b',
    '(?:a|b|ab)*c',
    '(?:\\w\\w?)*!',
    '.*.*.*=x',
    '(\\w)\\1',
    '(?<a>x)\\k<a>',
    '(x',
    'x*',
    '',
  ])('%s is refused', (pattern) => {
    expect(compileOwnPattern({ name: 'own', pattern })).toMatchObject({ type: 'refused', reason: expect.stringMatching(/\.$/) });
  });

  test.each([
    'TCK-\\d{6}',
    '(?:\\d{3}-){2}\\d{4}',
    '\\b[A-Z]{2}\\d{2}(?: ?\\w{4}){3,7}\\b',
    'no\\.?\\s*:?\\s*(\\d{5,12})',
    '[\\w.]+@[\\w.]+\\.acme',
    '(?:INV|ORD)-\\d+',
  ])('%s may run', (pattern) => {
    expect(compileOwnPattern({ name: 'own', pattern })).toMatchObject({ type: 'detector' });
  });

  test('those that may run are linear, because they look at a bounded piece at a time', () => {
    const redactor = openRedactor({ patterns: [{ name: 'own', pattern: '[\\w.]+@[\\w.]+\\.acme' }] });
    const before = process.cpuUsage().user;
    redactor.redactText('a.'.repeat(250_000), exitOptions());
    expect((process.cpuUsage().user - before) / 1_000).toBeLessThan(10_000);
  });
});

describe('the configuration', () => {
  const problemsOf = (redaction: unknown): string => {
    try {
      toProject({ tasks: [], redaction }, 'tollgate.config.ts');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('takes rules, regions and patterns, by feature and tenant', () => {
    const layer = { rules: { email: 'mask', 'secret.github-pat': 'block', '*': 'tokenise' }, features: { chat: { email: 'allow' } }, regions: ['DE'] };
    expect(problemsOf({ ...layer, patterns: [{ name: 'ticket', pattern: 'TCK' }], onDetectorFailure: 'block', tenants: { acme: layer } })).toBe('');
  });

  test('every mistake at once, with its place and what is right', () => {
    const message = problemsOf({
      rules: { 'e mail': 'mask', email: 'hide' },
      regions: ['de'],
      patterns: [{ name: 'A b', pattern: 'x' }],
      tenants: { acme: { rule: {} } },
    });
    expect(message).toContain('redaction.rules.e mail: the name must be a type such as email or secret.github-pat');
    expect(message).toContain('redaction.rules.email: expected "mask", "tokenise", "drop", "block" or "allow", saw "hide".');
    expect(message).toContain('redaction.regions[0]: expected an ISO 3166-1 code of two capitals, such as DE, saw "de".');
    expect(message).toContain('redaction.patterns[0].name: expected words in small letters joined by hyphens');
    expect(message).toContain('unknown key "rule" in redaction.tenants.acme. Did you mean "rules"?');
  });

  test('a pattern that may not run is a mistake like others', () => {
    expect(problemsOf({ tenants: { acme: { patterns: [{ name: 'bad', pattern: '(a+)+' }] } } })).toContain(
      'redaction.tenants.acme.patterns[0].pattern: the pattern "bad" may not run. It repeats a group that repeats something itself',
    );
  });
});
