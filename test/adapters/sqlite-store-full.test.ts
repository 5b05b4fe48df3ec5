import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import { type GateRecord, permits } from '../../domain/approval/gate.ts';
import type { Store } from '../../domain/store/port.ts';
import { approvedGate, newAttempt, newToolCall, reply, startRun, usd } from '../support/store-contract/fixtures.ts';

const NOW_MS = 1_800_000_000_000;
const STORE_FULL = { type: 'storeFull', message: expect.stringContaining('TOLLGATE_STORE_MAX_PAGES') };

let folder: string;
let store: Store;
let runKey: RunKey;
const open = (maxPages: number) => openSqliteStore({ path: join(folder, 'tollgate.db'), maxPages, now: () => NOW_MS });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-full-'));
  store = await open(160);
  runKey = await startRun(store, { limitNanoUsd: usd(1_000_000) });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** Does `step` until the store refuses it; answers how often it worked and why it stopped. */
async function untilRefused(step: (index: number) => Promise<unknown>): Promise<{ done: number; error: unknown }> {
  for (let done = 0; done < 10_000; done += 1) {
    try {
      await step(done);
    } catch (error) {
      return { done, error };
    }
  }
  throw new Error('the store never got full');
}

/** Leaves no free page, only what is left over inside pages that are in use. */
async function fill(): Promise<void> {
  for (const bytes of [16_384, 1_024, 64]) {
    const { error } = await untilRefused(() => store.putContent(randomBytes(bytes).toString('hex')));
    expect(error).toMatchObject(STORE_FULL);
  }
}

async function moreRoom(): Promise<void> {
  await store.close();
  store = await open(192);
}

async function heldByAttempts(): Promise<number> {
  return (await store.listAttempts(runKey)).reduce((sum, { money }) => sum + (money.status === 'held' ? money.reservedNanoUsd : 0), 0);
}

test('a full store refuses a reservation by name and keeps none of it; with more room the same one is made', async () => {
  await fill();
  const attempts = (index: number) => newAttempt(runKey, { attemptId: `attempt-${index}` as AttemptId });
  const { done, error } = await untilRefused((index) => store.reserveAttempt(attempts(index)));
  expect(error).toMatchObject(STORE_FULL);

  expect(await store.getAttempt(runKey, attempts(done).attemptId)).toBeNull();
  expect((await store.listAttempts(runKey)).length).toBe(done);
  expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: done * 100 });

  await moreRoom();
  expect(await heldByAttempts()).toBe(done * 100);
  expect(await store.reserveAttempt(attempts(done))).toMatchObject({ type: 'reserved', ledger: { heldNanoUsd: (done + 1) * 100 } });
});

test('a reply that finds no room moves no money; with more room it is booked', async () => {
  const { attemptId } = newAttempt(runKey);
  await store.reserveAttempt(newAttempt(runKey, { attemptId }));
  await fill();
  const report = { outcome: { type: 'reply' }, reply: reply('x'.repeat(20_000)), money: { type: 'settle', costNanoUsd: usd(40) } } as const;
  await expect(store.reportAttempt(runKey, attemptId, report)).rejects.toMatchObject(STORE_FULL);
  expect(await store.getAttempt(runKey, attemptId)).toMatchObject({ outcome: null, reply: null, money: { status: 'held' } });
  expect(await store.getLedger(runKey)).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: 100 });

  await moreRoom();
  await store.reportAttempt(runKey, attemptId, report);
  expect(await store.getLedger(runKey)).toMatchObject({ settledNanoUsd: 40, heldNanoUsd: 0 });
});

test('an approval whose intent finds no room is not consumed; with more room it is, once', async () => {
  const rule = (gate: GateRecord, nowMs: number) => permits(gate, gate.votes, nowMs);
  const { approvalId } = await store.createGate(approvedGate(runKey));
  await fill();
  const call = { ...newToolCall(runKey, { tool: 'refund', effect: 'irreversible', argumentsDigest: 'x'.repeat(20_000) }), approvalId };
  await expect(store.consumeApproval(call, rule)).rejects.toMatchObject(STORE_FULL);
  expect(await store.getGate(runKey, approvalId)).toMatchObject({ status: 'approved', consumedAtMs: null });
  expect(await store.listToolCalls(runKey)).toEqual([]);

  await moreRoom();
  expect((await store.consumeApproval(call, rule)).type).toBe('permitted');
  expect((await store.consumeApproval(call, rule)).type).toBe('exists');
});
