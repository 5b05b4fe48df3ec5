import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { answered, attemptId, COST, eachCall, runKey } from './model-call-fixture.ts';

const call = eachCall();

test('a heartbeat says how much of a streamed reply has arrived, and never what', async () => {
  const environment = new MockActivityEnvironment();
  const beats: object[] = [];
  environment.on('heartbeat', (details: object) => beats.push(details));
  call.now.endpoint = {
    send: async (_request, { onProgress }) => {
      for (let pieces = 1; pieces <= 5_000; pieces += 1) onProgress?.({ bytes: pieces * 100, pieces });
      await expect.poll(() => beats.length, { timeout: 5_000 }).toBeGreaterThan(1);
      return answered;
    },
  };
  expect(await call.now.run(environment)).toMatchObject({ type: 'reply' });
  expect(beats.at(-1)).toEqual({ reserved: true, received: { bytes: 500_000, pieces: 5_000 } });
  expect(beats.length).toBeLessThan(10);
});

test("the provider's id of a stream that goes on is journalled before its end, that of a short one with it", async () => {
  const attempt = () => call.now.store.getAttempt(runKey, attemptId);
  call.now.endpoint = {
    send: async (_request, { onProviderRequestId }) => {
      onProviderRequestId?.('req_1');
      expect((await attempt())?.providerRequestId).toBeNull();
      await expect.poll(async () => (await attempt())?.providerRequestId, { timeout: 5_000 }).toBe('req_1');
      return { ...answered, providerRequestId: 'req_1' };
    },
  };
  await call.now.run();
  expect(await attempt()).toMatchObject({ providerRequestId: 'req_1', money: { settledNanoUsd: COST } });
});

test('a background response is asked for by whoever recovers the attempt, once, and nothing is sent again', async () => {
  const asked: string[] = [];
  call.now.endpoint = {
    send: async (_request, { onResponseId }) => {
      await onResponseId('resp_1');
      return new Promise(() => undefined);
    },
    awaitResponse: async (id) => {
      asked.push(id);
      return answered;
    },
  };
  void call.now.run();
  await expect.poll(async () => (await call.now.store.getAttempt(runKey, attemptId))?.responseId).toBe('resp_1');
  expect(await call.now.run()).toMatchObject({ type: 'reply', recovered: true, costNanoUsd: COST });
  expect(await call.now.run()).toMatchObject({ type: 'reply', recovered: true, costNanoUsd: COST });
  expect(asked).toEqual(['resp_1']);
});
