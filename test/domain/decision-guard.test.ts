import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectionTo, readDecisionRequest } from '../../domain/approval/decision-guard.ts';

const digest = 'a'.repeat(64);

test('the guard never throws and never lets through what is no decision, whatever it is given', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), (value) => {
      const read = readDecisionRequest(value, 'approve');
      if (read) expect(read.actionDigest).toMatch(/^[0-9a-f]{64}$/);
      expect(objectionTo(read, [])).not.toBeNull();
    }),
  );
});

test('an undecodable payload is refused as malformed', () => {
  expect(objectionTo(readDecisionRequest({ type: 'undecodable', reason: 'x' }, 'approve'), [])).toMatchObject({ reason: 'malformed' });
});

test("a signal's name says the verdict, whatever the payload claims", () => {
  expect(readDecisionRequest({ approvalId: 'g', actionDigest: digest, verdict: 'approve', reason: 'no' }, 'deny')).toMatchObject({
    verdict: 'deny',
    comment: 'no',
  });
});

test('an update without a verdict is no decision', () => {
  expect(readDecisionRequest({ approvalId: 'g', actionDigest: digest })).toBeNull();
});
