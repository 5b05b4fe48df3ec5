import { expect, test } from 'vitest';
import { openRedactor } from '../../../adapters/redaction/open-redactor.ts';
import { RunTokens } from '../../../domain/redaction/tokens.ts';
import { canaries, canaryText, leaksIn, PLACES } from '../../support/canary/values.ts';

const redactor = openRedactor({ regions: ['DE', 'US'] });

test('every canary is found alone and among the others, and the search for leaks finds each that is not', () => {
  for (const place of PLACES) {
    for (const { kind, sentence, value } of canaries(place)) {
      expect(leaksIn(Buffer.from(JSON.stringify({ sentence })), [place]), `${kind} of ${place} is searched for`).toContain(`${kind} of ${place}`);
      expect(leaksIn(Buffer.from(Buffer.from(`x${sentence} and more`).toString('base64')), [place])).toContain(`${kind} of ${place}`);
      const { text } = redactor.redactText(sentence, { tenant: 't', feature: 'f', place: 'text', origin: 'outside', tokens: new RunTokens() });
      expect(text, `${kind} of ${place}`).not.toContain(value);
    }
    const { text } = redactor.redactText(canaryText(place), { tenant: 't', feature: 'f', place: 'text', origin: 'outside', tokens: new RunTokens() });
    expect(leaksIn(Buffer.from(text), [place])).toEqual([]);
  }
});
