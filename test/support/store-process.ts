import { randomUUID } from 'node:crypto';
import { openStore, type StoreSettings } from '../../adapters/stores/open-store.ts';
import type { ApprovalId, AttemptId, RunKey } from '../../contracts/ids.ts';
import { type GateRecord, permits } from '../../domain/approval/gate.ts';
import type { Store } from '../../domain/store/port.ts';
import { newAttempt, newToolCall, usd } from './store-contract/fixtures.ts';

/** One process among several on one store: opens it, says that it is ready, does the job that it is sent, and answers. */
export type StoreJob =
  | {
      readonly type: 'reserve';
      readonly runKey: RunKey;
      readonly amount: number;
      readonly settled: number /** That reserve at once. Default: 1. */;
      readonly writers?: number;
    }
  | { readonly type: 'consume'; readonly runKey: RunKey; readonly actions: readonly { readonly action: string; readonly approvalId: ApprovalId }[] };

export interface StoreJobAnswer {
  /** What this process was told that it may do: its reservations, or the approvals that it consumed. */
  readonly granted: readonly string[];
  readonly error: string | null;
}

async function work(store: Store, job: StoreJob): Promise<string[]> {
  if (job.type === 'consume') return consumeEach(store, job);
  return (await Promise.all(Array.from({ length: job.writers ?? 1 }, () => reserveUntilRefused(store, job)))).flat();
}

/** Every second reservation is settled at once, so that money also comes back while others reserve. */
async function reserveUntilRefused(store: Store, { runKey, amount, settled }: StoreJob & { type: 'reserve' }): Promise<string[]> {
  const granted: AttemptId[] = [];
  for (;;) {
    const attemptId = randomUUID() as AttemptId;
    const { type } = await store.reserveAttempt(newAttempt(runKey, { attemptId, reservedNanoUsd: usd(amount) }));
    if (type !== 'reserved') return granted;
    granted.push(attemptId);
    if (granted.length % 2 === 0) await store.moveMoney(runKey, attemptId, { type: 'settle', costNanoUsd: usd(settled) });
  }
}

async function consumeEach(store: Store, { runKey, actions }: StoreJob & { type: 'consume' }): Promise<string[]> {
  const granted: string[] = [];
  const rule = (gate: GateRecord, nowMs: number) => permits(gate, gate.votes, nowMs);
  for (const { action, approvalId } of actions) {
    const call = { ...newToolCall(runKey, { tool: 'refund', effect: 'irreversible', callKey: randomUUID(), argumentsDigest: action }), approvalId };
    const { type } = await store.consumeApproval(call, rule);
    if (type === 'permitted') granted.push(action);
  }
  return granted;
}

const [settings = '{}'] = process.argv.slice(2);
const store = await openStore(JSON.parse(settings) as StoreSettings);
process.once('message', async (job: StoreJob) => {
  const answer = await work(store, job).then(
    (granted): StoreJobAnswer => ({ granted, error: null }),
    (error: Error): StoreJobAnswer => ({ granted: [], error: error.message }),
  );
  await store.close();
  process.send?.(answer, () => process.disconnect());
});
process.send?.('ready');
