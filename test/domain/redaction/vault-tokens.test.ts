import { describe, expect, test } from 'vitest';
import { boundArguments, identifyingArguments, type OpenedTokens, revealArguments } from '../../../domain/redaction/revealed-arguments.ts';
import { hideValues, replaceTokens, tokensIn } from '../../../domain/redaction/token-text.ts';
import { KnownTokens, VaultTokens } from '../../../domain/redaction/vault-tokens.ts';

const hash = (value: string) => `#${value}`;
function known(...entries: readonly (readonly [token: string, value: string])[]): KnownTokens {
  const tokens = new KnownTokens();
  for (const [token, value] of entries) tokens.add({ token, valueHash: hash(value) });
  return tokens;
}

describe('tokens of a run', () => {
  test('a value has one token, whatever it is taken for, and numbers go on after the highest known', () => {
    const tokens = new VaultTokens(known(['⟦email:7⟧', 'a@x.org']), hash);
    expect(tokens.tokenFor('email', 'a@x.org')).toBe('⟦email:7⟧');
    expect(tokens.isGuessing).toBe(false);
    expect(tokens.tokenFor('email', 'b@x.org')).toBe('⟦email:8⟧');
    expect(tokens.tokenFor('phone', 'b@x.org')).toBe('⟦email:8⟧');
    expect(tokens.tokenFor('phone', '123')).toBe('⟦phone:1⟧');
    expect(tokens.fresh.map(({ token, value }) => [token, value])).toEqual([
      ['⟦email:8⟧', 'b@x.org'],
      ['⟦phone:1⟧', '123'],
    ]);
    expect(tokens.isGuessing).toBe(true);
  });

  test('a token from elsewhere is taken over where it is free and means the same type', () => {
    const tokens = new VaultTokens(known(['⟦email:1⟧', 'a@x.org']), hash);
    expect(tokens.adopt('⟦email:1⟧', 'email', 'b@x.org')).toBe('⟦email:2⟧');
    expect(tokens.adopt('⟦email:5⟧', 'email', 'c@x.org')).toBe('⟦email:5⟧');
    expect(tokens.adopt('⟦phone:1⟧', 'email', 'd@x.org')).toBe('⟦email:6⟧');
    expect(tokens.adopt('not a token', 'email', 'e@x.org')).toBe('⟦email:7⟧');
  });

  test('whoever asks after a token that is not known is told that it may be another call that knows', () => {
    const tokens = new VaultTokens(known(['⟦email:1⟧', 'a@x.org']), hash);
    expect([tokens.knows('⟦email:1⟧'), tokens.isGuessing]).toEqual([true, false]);
    expect([tokens.knows('⟦email:2⟧'), tokens.isGuessing]).toEqual([false, true]);
  });
});

describe('arguments with tokens', () => {
  const opened: OpenedTokens = new Map([
    ['⟦email:1⟧', { type: 'email', value: 'a@x.org', valueHash: 'h1' }],
    ['⟦nationalId.us-ssn:1⟧', { type: 'nationalId.us-ssn', value: '123456789', valueHash: 'h2' }],
    ['⟦phone:1⟧', { type: 'phone', value: null, valueHash: 'h3' }],
  ]);
  const args = { to: '⟦email:1⟧', text: 'to ⟦email:1⟧, not ⟦email:2⟧', ids: [{ ssn: '⟦nationalId.us-ssn:1⟧' }], '⟦email:1⟧': 1 };
  const schema = { type: 'object', properties: { ids: { type: 'array', items: { properties: { ssn: { type: 'integer' } } } } } };

  test('a tool gets what it declares, by type or family, and a number where its schema wants one', () => {
    expect(revealArguments(args, opened, [], schema)).toEqual({ args, tokens: [], kept: ['⟦email:1⟧', '⟦nationalId.us-ssn:1⟧'], erased: [] });
    expect(revealArguments(args, opened, ['email'], schema)).toMatchObject({
      args: { to: 'a@x.org', text: 'to a@x.org, not ⟦email:2⟧', ids: [{ ssn: '⟦nationalId.us-ssn:1⟧' }], 'a@x.org': 1 },
      tokens: ['⟦email:1⟧'],
    });
    expect(revealArguments(args, opened, ['nationalId'], schema).args).toMatchObject({ to: '⟦email:1⟧', ids: [{ ssn: 123456789 }] });
    expect(revealArguments({ call: '⟦phone:1⟧' }, opened, ['*'], {})).toMatchObject({ args: { call: '⟦phone:1⟧' }, tokens: [], erased: ['⟦phone:1⟧'] });
  });

  test('what a value contains is never taken for a token', () => {
    const sly: OpenedTokens = new Map([
      ['⟦email:1⟧', { type: 'email', value: '⟦phone:1⟧', valueHash: 'h1' }],
      ['⟦phone:1⟧', { type: 'phone', value: 'secret', valueHash: 'h2' }],
    ]);
    expect(revealArguments({ to: '⟦email:1⟧' }, sly, ['*'], {}).args).toEqual({ to: '⟦phone:1⟧' });
  });

  test('digests bind the value with its token; keys know the value and not the number', () => {
    expect(boundArguments({ to: '⟦email:1⟧' }, opened)).toEqual({ to: '⟦email:1⟧#h1' });
    expect(identifyingArguments({ to: '⟦email:1⟧' }, opened)).toEqual({ to: 'email#h1' });
    const renumbered: OpenedTokens = new Map([['⟦email:4⟧', { type: 'email', value: 'a@x.org', valueHash: 'h1' }]]);
    expect(identifyingArguments({ to: '⟦email:4⟧' }, renumbered)).toEqual(identifyingArguments({ to: '⟦email:1⟧' }, opened));
    expect(boundArguments({ plain: 'x', list: [1, null] }, opened)).toEqual({ plain: 'x', list: [1, null] });
  });

  test('values are put back to their tokens, the longest first', () => {
    const hidden = new Map([
      ['ann@x.org', '⟦email:1⟧'],
      ['joann@x.org', '⟦email:2⟧'],
    ]);
    expect(hideValues({ sent: ['joann@x.org and ann@x.org'] }, hidden)).toEqual({ sent: ['⟦email:2⟧ and ⟦email:1⟧'] });
    expect(tokensIn({ '⟦email:1⟧': ['⟦email:1⟧ ⟦phone:2⟧ ⟦email⟧'] })).toEqual(['⟦email:1⟧', '⟦phone:2⟧']);
    expect(replaceTokens('⟦a:1⟧⟦b:1⟧', (token) => (token === '⟦a:1⟧' ? '⟦b:1⟧' : '⟦c:1⟧'))).toBe('⟦b:1⟧⟦c:1⟧');
  });
});
