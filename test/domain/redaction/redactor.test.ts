import { describe, expect, test } from 'vitest';
import { redactionSettingsSchema } from '../../../contracts/redaction.ts';
import { actionFor } from '../../../domain/redaction/policy.ts';
import { RunTokens } from '../../../domain/redaction/tokens.ts';
import { countTriggers } from '../../../domain/redaction/triggers.ts';
import { detectorFor, exitOptions, SAMPLE_DETECTORS, sampleRedactor } from '../../support/redaction.ts';

const scope = { tenant: 'acme', feature: 'support', place: 'text' } as const;

describe('policy', () => {
  test('masks secrets and tokenises everything else where nobody said otherwise', () => {
    expect(actionFor('secret.github-pat', {}, scope)).toBe('mask');
    expect(actionFor('email', {}, scope)).toBe('tokenise');
    expect(actionFor('nationalId.us-ssn', {}, scope)).toBe('tokenise');
  });

  test('a type comes before its family, that before the rest, the tenant before the task and that before the settings', () => {
    const settings = redactionSettingsSchema.parse({
      rules: { 'nationalId.us-ssn': 'block', nationalId: 'mask', '*': 'drop' },
      features: { support: { email: 'allow' } },
      tenants: { acme: { rules: { phone: 'mask' }, features: { support: { iban: 'block' } } } },
    });
    expect(actionFor('nationalId.us-ssn', settings, scope)).toBe('block');
    expect(actionFor('nationalId.de-tax-id', settings, scope)).toBe('mask');
    expect(actionFor('creditCard', settings, scope)).toBe('drop');
    expect(actionFor('email', settings, scope)).toBe('allow');
    expect(actionFor('email', settings, { ...scope, feature: 'other' })).toBe('drop');
    expect(actionFor('email', settings, { ...scope, task: { rules: { email: 'mask' } } })).toBe('mask');
    expect(actionFor('phone', settings, { ...scope, task: { rules: { phone: 'allow' } } })).toBe('mask');
    expect(actionFor('iban', settings, { ...scope, task: { features: { support: { iban: 'allow' } } } })).toBe('block');
  });

  test("a tool's arguments are never masked: what would be blocks", () => {
    const place = { ...scope, place: 'toolArguments' } as const;
    expect(actionFor('secret.acme', {}, place)).toBe('block');
    expect(actionFor('email', { rules: { email: 'drop' } }, place)).toBe('block');
    expect(actionFor('email', {}, place)).toBe('tokenise');
  });

  test('a tenant named like a property of every object has no settings', () => {
    expect(actionFor('email', { tenants: {} }, { ...scope, tenant: 'constructor', feature: '__proto__' })).toBe('tokenise');
  });
});

describe('text', () => {
  test('the same value has the same token throughout a run, another one another', () => {
    const tokens = new RunTokens();
    const redactor = sampleRedactor();
    expect(redactor.redactText('ann@example.com and bob@example.com', exitOptions({ tokens })).text).toBe('⟦email:1⟧ and ⟦email:2⟧');
    expect(redactor.redactText('again ann@example.com', exitOptions({ tokens })).text).toBe('again ⟦email:1⟧');
    expect([...tokens.entries()]).toEqual([
      ['⟦email:1⟧', 'ann@example.com'],
      ['⟦email:2⟧', 'bob@example.com'],
    ]);
  });

  test('each action does what it says', () => {
    const redactor = sampleRedactor({ rules: { email: 'drop', creditCard: 'block', phone: 'allow' } });
    const { text, findings, blocked } = redactor.redactText('a@b.com, 4111111111111111, phone 123456, acme_12345678', exitOptions());
    expect(text).toBe(', ⟦creditCard⟧, phone 123456, ⟦secret.acme⟧');
    expect(blocked).toEqual(['creditCard']);
    expect(findings).toEqual([
      { type: 'email', action: 'drop', start: 0, end: 7 },
      { type: 'creditCard', action: 'block', start: 9, end: 25 },
      { type: 'phone', action: 'allow', start: 33, end: 39 },
      { type: 'secret.acme', action: 'mask', start: 41, end: 54 },
    ]);
    expect(countTriggers([...findings, ...findings])[0]).toEqual({ type: 'email', action: 'drop', count: 2 });
  });

  test('findings that overlap go as one: the strongest action, the type of the longest that has it, no part left', () => {
    const overlapping = [detectorFor('long', /bcdef/g), detectorFor('secret.x', /efg/g), detectorFor('secret.yy', /cdef/g), detectorFor('allowed', /a.*h/g)];
    const { text, findings } = sampleRedactor({ rules: { allowed: 'allow' } }, overlapping).redactText('abcdefgh', exitOptions());
    expect(text).toBe('a⟦secret.yy⟧h');
    expect(findings).toContainEqual({ type: 'secret.yy', action: 'mask', start: 1, end: 7 });
  });

  test('what only comes to be by replacing is found too', () => {
    const redactor = sampleRedactor({ rules: { secret: 'drop' } });
    expect(redactor.redactText('phone acme_12345678 123456', exitOptions()).text).toBe('phone  ⟦phone:1⟧');
  });

  test('a detector that throws blocks, and lets nothing through', () => {
    const broken = {
      ...detectorFor('x', /x/g),
      find: () => {
        throw new Error('broken');
      },
    };
    const { text, blocked } = sampleRedactor({ rules: { '*': 'allow' } }, [broken]).redactText('ann@example.com', exitOptions());
    expect({ text, blocked }).toEqual({ text: '⟦detectorFailure⟧', blocked: ['detectorFailure'] });
  });

  test('offsets are in the input, whole characters, in UTF-16 code units', () => {
    const half = detectorFor('half', /\udE00 ann/g);
    const { findings } = sampleRedactor({}, [half, ...SAMPLE_DETECTORS]).redactText('😀 ann@example.com', exitOptions());
    expect(findings).toEqual([{ type: 'email', action: 'tokenise', start: 0, end: 18 }]);
  });
});

describe('tokens', () => {
  test('nobody outside can write one', () => {
    const tokens = new RunTokens();
    tokens.tokenFor('email', 'ann@example.com');
    const { text } = sampleRedactor().redactText('mail ⟦email:1⟧, ⟦email:⟦email:1⟧1⟧ and ⟦secret.acme⟧', exitOptions({ tokens }));
    expect(text).toBe('mail [email:1], [email:[email:1]1] and [secret.acme]');
  });

  test('a model may use those of its run and no other', () => {
    const tokens = new RunTokens();
    tokens.tokenFor('email', 'ann@example.com');
    const { text } = sampleRedactor().redactText('⟦email:1⟧ ⟦email:2⟧ ⟦secret.acme⟧ ⟦acme_12345678⟧', exitOptions({ tokens, origin: 'run' }));
    expect(text).toBe('⟦email:1⟧ [email:2] ⟦secret.acme⟧ [⟦secret.acme⟧]');
  });

  test('dropping what stands between its halves makes none', () => {
    const tokens = new RunTokens();
    tokens.tokenFor('email', 'ann@example.com');
    const redactor = sampleRedactor({ rules: { secret: 'drop' } });
    expect(redactor.redactText('⟦ema acme_12345678il:1⟧'.replace('a a', 'aa'), exitOptions({ tokens })).text).not.toContain('⟦');
  });
});

describe('JSON', () => {
  test('values and keys, the same shape', () => {
    const value = { 'ann@example.com': [1, null, true, { mail: 'bob@example.com' }], plain: 'text', empty: {} };
    const redacted = sampleRedactor().redactJson(value, exitOptions());
    expect(redacted.value).toEqual({ '⟦email:1⟧': [1, null, true, { mail: '⟦email:2⟧' }], plain: 'text', empty: {} });
    expect(redacted.findings.map(({ pointer, inKey, start, end }) => ({ pointer, inKey, start, end }))).toEqual([
      { pointer: '/⟦email:1⟧', inKey: true, start: 0, end: 15 },
      { pointer: '/⟦email:1⟧/3/mail', inKey: false, start: 0, end: 15 },
    ]);
  });

  test('a value is looked at with its key, and a long number too', () => {
    const byKey = [detectorFor('phone', /(?<="phone": ")\d{6,15}/g)];
    const redacted = sampleRedactor({}, byKey).redactJson({ phone: ['123456', 1234567], id: '123456', count: 123 }, exitOptions());
    expect(redacted.value).toEqual({ phone: ['⟦phone:1⟧', '⟦phone:2⟧'], id: '123456', count: 123 });
  });

  test('keys that are masked alike both stay', () => {
    const value = { 'a@b.com': 1, 'c@d.com': 2, __proto__: 3 };
    const { value: redacted } = sampleRedactor({ rules: { email: 'mask' } }).redactJson(JSON.parse(JSON.stringify(value)), exitOptions());
    expect(redacted).toEqual({ '⟦email⟧': 1, '⟦email⟧ 2': 2 });
  });

  test('the key __proto__ is a key like others', () => {
    const value = JSON.parse('{"__proto__": {"mail": "a@b.com"}}');
    expect(JSON.stringify(sampleRedactor().redactJson(value, exitOptions()).value)).toBe('{"__proto__":{"mail":"⟦email:1⟧"}}');
  });

  test('nesting without end blocks instead of breaking', () => {
    const deep = JSON.parse(`${'['.repeat(5_000)}"a@b.com"${']'.repeat(5_000)}`);
    const { value, blocked } = sampleRedactor().redactJson(deep, exitOptions());
    expect(blocked).toEqual(['tooDeep']);
    expect(JSON.stringify(value)).not.toContain('a@b.com');
  });

  test("in a tool's arguments a secret blocks, and personal data becomes a token", () => {
    const { value, blocked } = sampleRedactor().redactJson({ to: 'a@b.com', key: 'acme_12345678' }, exitOptions({ place: 'toolArguments', origin: 'run' }));
    expect(value).toEqual({ to: '⟦email:1⟧', key: '⟦secret.acme⟧' });
    expect(blocked).toEqual(['secret.acme']);
  });
});
