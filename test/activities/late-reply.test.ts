import { beforeEach, describe, expect, test } from 'vitest';
import type { CallModelOutcome } from '../../contracts/agent-run.ts';
import type { ProviderResult } from '../../domain/model/provider-port.ts';
import { answered, attemptId, COST, eachCall, reply, runKey } from './model-call-fixture.ts';

const call = eachCall();
/** Lets the answer of the first sender come. */
let answer: (result: ProviderResult) => void;
/** The first sender's execution, which is frozen in the middle of its call. */
let sender: Promise<CallModelOutcome>;
const ledger = () => call.now.store.getLedger(runKey);
const attempt = () => call.now.store.getAttempt(runKey, attemptId);

/** The sender has sent and froze; another worker has found the attempt and given it up. */
beforeEach(async () => {
  const isSent = new Promise<void>((resolve) => {
    call.now.endpoint = {
      send: () => {
        resolve();
        return new Promise((done) => {
          answer = done;
        });
      },
    };
  });
  sender = call.now.run();
  await isSent;
  expect(await call.now.run()).toMatchObject({ type: 'failed', verdict: { class: 'connectionLost', billed: 'unknown', retrySameModel: true } });
  expect(await ledger()).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: (await attempt())?.reservedNanoUsd });
});

describe('the reply of a worker that was given up', () => {
  test('is settled and kept, and what the run was told of the attempt stays', async () => {
    answer(answered);
    expect(await sender).toMatchObject({ type: 'failed' });
    expect(await ledger()).toMatchObject({ settledNanoUsd: COST, heldNanoUsd: 0 });
    expect(await attempt()).toMatchObject({ outcome: { type: 'failed' }, reply, money: { status: 'settled' } });
  });

  test('is settled after the run has ended, and the run stays ended', async () => {
    await call.now.store.endRun(runKey, { status: 'failed', message: 'No model answered.' }, 1);
    answer(answered);
    await sender;
    expect(await ledger()).toMatchObject({ settledNanoUsd: COST, heldNanoUsd: 0 });
    expect(await call.now.store.getRun(runKey)).toMatchObject({ status: 'failed' });
  });

  test('is settled after a person has written its money off, which then is written off no more', async () => {
    await call.now.store.moveMoney(runKey, attemptId, { type: 'writeOff' }, { actor: 'ann', reason: 'the provider had no record' });
    expect(await ledger()).toMatchObject({ heldNanoUsd: 0, writtenOffNanoUsd: (await attempt())?.reservedNanoUsd });
    answer(answered);
    await sender;
    expect(await ledger()).toMatchObject({ settledNanoUsd: COST, heldNanoUsd: 0, writtenOffNanoUsd: 0 });
  });

  test('that was settled by somebody else in the meantime is not paid for again', async () => {
    await call.now.store.moveMoney(runKey, attemptId, { type: 'settle', costNanoUsd: COST as never });
    answer(answered);
    await sender;
    expect(await ledger()).toMatchObject({ settledNanoUsd: COST, heldNanoUsd: 0 });
    const audit = await call.now.store.listAudit({ runKey, limit: 100 });
    expect(audit.filter(({ type }) => type === 'ledger.conflict')).toEqual([]);
  });

  test('that is none, or does not say what it cost, changes nothing: held stays held, written off stays written off', async () => {
    answer({ type: 'reply', reply, usage: null });
    await sender;
    expect(await ledger()).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: (await attempt())?.reservedNanoUsd });
    await call.now.store.moveMoney(runKey, attemptId, { type: 'writeOff' }, { actor: 'ann', reason: 'nobody knows' });
    expect(await ledger()).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: 0, writtenOffNanoUsd: (await attempt())?.reservedNanoUsd });
  });

  test('that says that nothing was ever charged frees the money', async () => {
    answer({ type: 'failure', signal: { status: 429, body: { error: { message: 'Rate limit reached' } } }, message: 'HTTP 429' });
    await sender;
    expect(await ledger()).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: 0 });
  });
});
