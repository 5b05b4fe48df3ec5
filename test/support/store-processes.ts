import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoreSettings } from '../../adapters/stores/open-store.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { approvedGate, startRun, usd } from './store-contract/fixtures.ts';
import type { StoreJob, StoreJobAnswer } from './store-process.ts';

const SCRIPT = fileURLToPath(new URL('./store-process.ts', import.meta.url));
const PROCESSES = 4;

export interface ProcessesHarness {
  readonly store: Store;
  /** What each process opens. */
  readonly settings: StoreSettings;
  readonly remove: () => Promise<void>;
}

/** What holds when several processes use one store at once. */
export function describeStoreProcesses(name: string, openHarness: () => Promise<ProcessesHarness>): void {
  describe(name, () => {
    let harness: ProcessesHarness;
    let store: Store;
    let children: ChildProcess[] = [];
    beforeEach(async () => {
      harness = await openHarness();
      store = harness.store;
      children = Array.from({ length: PROCESSES }, () => fork(SCRIPT, [JSON.stringify(harness.settings)]));
      await Promise.all(children.map((child) => once(child, 'message')));
    });
    afterEach(async () => {
      for (const child of children) child.kill('SIGKILL');
      await store.close();
      await harness.remove();
    });

    /** Sends every process its job at the same moment. */
    async function atOnce(jobOf: (index: number) => StoreJob): Promise<string[][]> {
      const answers = children.map((child) => once(child, 'message') as Promise<[StoreJobAnswer]>);
      for (const [index, child] of children.entries()) child.send(jobOf(index));
      const all = (await Promise.all(answers)).map(([answer]) => answer);
      expect(all.flatMap(({ error }) => error ?? []).join('\n'), 'errors').toBe('');
      return all.map(({ granted }) => [...granted]);
    }

    /** What the attempt rows add up to: the ledger itself, of which the totals are a copy. */
    async function summedUp(runKey: RunKey): Promise<{ attempts: string[]; settledNanoUsd: number; heldNanoUsd: number }> {
      const rows = await store.listAttempts(runKey);
      const sum = (status: string, amountOf: (row: (typeof rows)[number]) => number) =>
        rows.filter(({ money }) => money.status === status).reduce((total, row) => total + amountOf(row), 0);
      return {
        attempts: rows.map(({ attemptId }) => attemptId).toSorted(),
        settledNanoUsd: sum('settled', ({ money }) => money.settledNanoUsd ?? 0),
        heldNanoUsd: sum('held', ({ money }) => money.reservedNanoUsd),
      };
    }

    test('processes that reserve at once never promise more than the budget, and use all of it', { timeout: 20_000 }, async () => {
      const [limit, amount] = [20_000, 100];
      const runKey = await startRun(store, { limitNanoUsd: usd(limit) });
      const granted = (await atOnce(() => ({ type: 'reserve', runKey, amount, settled: 40 }))).flat();
      const { attempts, settledNanoUsd, heldNanoUsd } = await summedUp(runKey);
      const promised = settledNanoUsd + heldNanoUsd;
      expect(promised, 'settled and held together, against the limit').toBeLessThanOrEqual(limit);
      expect(limit - promised, 'left over').toBeLessThan(amount);
      expect(await store.getLedger(runKey)).toMatchObject({ settledNanoUsd, heldNanoUsd, overrunNanoUsd: 0 });
      expect(attempts).toEqual(granted.toSorted());
    });

    test('64 writers in several processes never promise more than a quota, in money or tokens, and use all of it', { timeout: 30_000 }, async () => {
      const [limit, amount, tokens] = [20_000, 100, 1_000];
      const rule = { tenant: 'acme', feature: null, per: 'month' } as const;
      const money = await store.setQuota({ ...rule, unit: 'nanoUsd', limit }, 'command');
      const inTokens = await store.setQuota({ ...rule, unit: 'tokens', limit: 1_000_000 }, 'command');
      // Many runs, each with money enough for all of it alone.
      const runKeys = await Promise.all(children.map(() => startRun(store, { limitNanoUsd: usd(limit * 2) })));
      const jobs = runKeys.map((runKey): StoreJob => ({ type: 'reserve', runKey, amount, settled: 40, writers: 64 / PROCESSES }));
      const granted = (await atOnce((index) => jobs[index] as StoreJob)).flat();
      const sums = await Promise.all(runKeys.map((runKey) => summedUp(runKey)));
      const [settled, held] = [sums.reduce((sum, run) => sum + run.settledNanoUsd, 0), sums.reduce((sum, run) => sum + run.heldNanoUsd, 0)];
      expect(settled + held, 'settled and held together, against the quota').toBeLessThanOrEqual(limit);
      expect(limit - settled - held, 'left over').toBeLessThan(amount);
      const [window] = await store.listQuotaWindows({ quotaId: money.quotaId, limit: 1 });
      expect(window?.totals).toMatchObject({ settledNanoUsd: settled, heldNanoUsd: held, overrunNanoUsd: 0 });
      const [tokenWindow] = await store.listQuotaWindows({ quotaId: inTokens.quotaId, limit: 1 });
      expect((tokenWindow?.totals.settledNanoUsd ?? 0) + (tokenWindow?.totals.heldNanoUsd ?? 0)).toBe(granted.length * tokens);
      expect(sums.flatMap(({ attempts }) => attempts).toSorted()).toEqual(granted.toSorted());
    });

    test('one approval is consumed by one process, whichever is first', { timeout: 20_000 }, async () => {
      const runKey = await startRun(store);
      const actions = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const { approvalId } = await store.createGate(approvedGate(runKey, { decidedAtMs: Date.now() }));
          return { action: `action-${index}`, approvalId };
        }),
      );
      const granted = (await atOnce(() => ({ type: 'consume', runKey, actions }))).flat();
      expect(granted.toSorted()).toEqual(actions.map(({ action }) => action).toSorted());
      expect((await store.listToolCalls(runKey)).map(({ argumentsDigest }) => argumentsDigest).toSorted()).toEqual(granted.toSorted());
    });

    test('the very same action, approved once for each process, is permitted once', { timeout: 20_000 }, async () => {
      const runKey = await startRun(store);
      const names = Array.from({ length: 60 }, (_, index) => `action-${index}`);
      const approvedFor = async (action: string) => ({
        action,
        approvalId: (await store.createGate(approvedGate(runKey, { decidedAtMs: Date.now() }))).approvalId,
      });
      const jobs = await Promise.all(
        children.map(async (): Promise<StoreJob> => ({ type: 'consume', runKey, actions: await Promise.all(names.map(approvedFor)) })),
      );
      const granted = (await atOnce((index) => jobs[index] as StoreJob)).flat();
      expect(granted.toSorted()).toEqual(names.toSorted());
    });

    test('processes that are killed in the middle leave whole reservations only', { timeout: 20_000 }, async () => {
      const runKey = await startRun(store, { limitNanoUsd: usd(1_000_000_000) });
      for (const child of children) {
        child.send({ type: 'reserve', runKey, amount: 100, settled: 40 } satisfies StoreJob);
        await sleep(100);
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      // What a killed process had sent already may still be committed for it.
      await sleep(200);
      const { attempts, settledNanoUsd, heldNanoUsd } = await summedUp(runKey);
      expect(attempts.length).toBeGreaterThan(0);
      expect(await store.getLedger(runKey)).toMatchObject({ settledNanoUsd, heldNanoUsd });
    });
  });
}
