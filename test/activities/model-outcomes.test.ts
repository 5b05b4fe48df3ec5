import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, test } from 'vitest';
import type { ProviderResult } from '../../domain/model/provider-port.ts';
import { answered, attemptId, COST, eachCall, reply, runKey, usage } from './model-call-fixture.ts';

const call = eachCall();
const failure = (rest: Partial<Extract<ProviderResult, { type: 'failure' }>>): ProviderResult => ({ type: 'failure', signal: {}, message: 'x', ...rest });

/** What the endpoint answers, and what of the reservation must be settled and held then. */
const EVENTS: Readonly<Record<string, { readonly result: ProviderResult; readonly money: 'cost' | 'zero' | 'released' | 'held' }>> = {
  'a counted reply': { result: answered, money: 'cost' },
  'a reply without a count': { result: { type: 'reply', reply, usage: null }, money: 'held' },
  'a counted reply of no use': { result: { type: 'unusable', message: 'no choices', usage }, money: 'cost' },
  'a refusal': { result: failure({ signal: { status: 429 } }), money: 'zero' },
  'a server error': { result: failure({ signal: { status: 500 } }), money: 'held' },
  'a refused connection': { result: failure({ signal: { transport: 'ECONNREFUSED' } }), money: 'released' },
  'a lost connection': { result: failure({ signal: { transport: 'ECONNRESET' } }), money: 'held' },
  'a cut stream': { result: failure({ signal: { transport: 'ECONNRESET' }, begun: true }), money: 'held' },
  'a stream with a refusal in its middle': { result: failure({ signal: { status: 429 }, begun: true }), money: 'held' },
  'a counted failure': { result: failure({ begun: true, usage }), money: 'cost' },
};

describe.each(Object.entries(EVENTS))('%s', (_name, { result, money }) => {
  test.each(['without a cancellation', 'cancelled in the middle', 'cancelled before'] as const)('%s', async (when) => {
    const environment = new MockActivityEnvironment();
    let isSent = false;
    call.now.endpoint = {
      send: async () => {
        isSent = true;
        if (when === 'cancelled in the middle') environment.cancel();
        return result;
      },
    };
    if (when === 'cancelled before') environment.cancel();
    await call.now.run(environment);

    expect(isSent).toBe(when !== 'cancelled before');
    const expected = when === 'cancelled before' ? 'released' : money;
    const reserved = (await call.now.store.getAttempt(runKey, attemptId))?.reservedNanoUsd;
    const ledger = await call.now.store.getLedger(runKey);
    expect(ledger).toMatchObject({ settledNanoUsd: expected === 'cost' ? COST : 0, heldNanoUsd: expected === 'held' ? reserved : 0, overrunNanoUsd: 0 });
    expect((await call.now.store.getAttempt(runKey, attemptId))?.money.status).toBe(expected === 'cost' || expected === 'zero' ? 'settled' : expected);
  });
});

test('an endpoint that throws, against its contract, leaves the money held, and nothing is sent again', async () => {
  let sent = 0;
  call.now.endpoint = {
    send: async () => {
      sent += 1;
      throw new Error('a defect');
    },
  };
  await expect(call.now.run()).rejects.toThrow('a defect');
  expect(await call.now.run()).toMatchObject({ type: 'failed', verdict: { billed: 'unknown' } });
  expect(sent).toBe(1);
  expect(await call.now.store.getLedger(runKey)).toMatchObject({
    settledNanoUsd: 0,
    heldNanoUsd: (await call.now.store.getAttempt(runKey, attemptId))?.reservedNanoUsd,
  });
});
