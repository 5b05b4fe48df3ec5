import { call, returns, startTestEnvironment, type TestEnvironment, withFault } from 'tollgate/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { refund, support } from './support.ts';

let environment: TestEnvironment;
beforeAll(async () => {
  environment = await startTestEnvironment({
    tasks: [support],
    tools: { refund: returns({ refunded: true }) },
    approver: ({ arguments: args }) => ((args as { amountCents: number }).amountCents <= 5_000 ? 'approve' : { deny: 'over 50.00' }),
  });
}, 60_000);
afterAll(() => environment?.stop());

test('a small refund is approved and paid back once', async () => {
  environment.model.script([call(refund, { orderId: 'W-7', amountCents: 4_900 }), 'The money is on its way.']);
  const run = await environment.run(support, { message: 'W-7 arrived broken.' });
  expect(run.outcome).toMatchObject({ status: 'completed', output: 'The money is on its way.' });
  expect(await run.toolCalls()).toMatchObject([{ tool: 'refund', status: 'done', arguments: { orderId: 'W-7', amountCents: 4_900 } }]);
});

test('a large one is denied, the model reads why, and nothing is paid', async () => {
  environment.model.script([call(refund, { orderId: 'W-8', amountCents: 90_000 }), ({ toolResults }) => `Sorry: ${toolResults[0]}`]);
  const run = await environment.run(support, { message: 'W-8 arrived broken.' });
  expect(run.outcome.output).toContain('over 50.00');
  expect(await run.toolCalls()).toMatchObject([{ tool: 'refund', status: 'denied' }]);
});

test('a rate limit of the provider is waited for, and the ledger is the bill', async () => {
  environment.model.script([withFault('Hello.', { type: 'rateLimit', attempt: 1, retryAfterMs: 50 })]);
  const run = await environment.run(support, { message: 'Hi' });
  expect((await run.report()).attempts.map(({ outcome }) => outcome)).toEqual(['rateLimited', 'ok']);
  const billed = (await run.bill()).reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
  expect((await run.ledger()).settledNanoUsd).toBe(billed);
});
