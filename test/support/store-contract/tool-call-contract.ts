import { expect, test } from 'vitest';
import type { ApprovalId, ContentDigest, RunKey, ToolCallId } from '../../../contracts/ids.ts';
import { type GateRecord, permits } from '../../../domain/approval/gate.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { approvedGate, newGate, newToolCall, permitted, runKey, startRun } from './fixtures.ts';

const RECORDING = 'c'.repeat(64) as ContentDigest;
const byTheRule = (gate: GateRecord, nowMs: number) => permits(gate, gate.votes, nowMs);

function irreversible(key: RunKey, approvalId: ApprovalId, change: object = {}) {
  return { ...newToolCall(key, { tool: 'refund', effect: 'irreversible', callKey: `attempt-1:0:${approvalId}`, ...change }), approvalId };
}

async function gated(store: Store, key: RunKey, change: Partial<GateRecord> = {}) {
  const gate = await store.createGate(approvedGate(key, change));
  return { gate, call: irreversible(key, gate.approvalId) };
}

export function describeToolCallContract(subject: Subject): void {
  test('a read is journalled before it is carried out, once', async () => {
    const { store, clock } = subject();
    const call = newToolCall(await startRun(store));
    const begun = await store.beginToolCall(call);
    expect(begun).toEqual({
      type: 'begun',
      call: { ...call, status: 'intent', result: null, isError: false, recordedLine: null, startedAtMs: clock.nowMs, endedAtMs: null },
    });
    expect(await store.beginToolCall({ ...call, tool: 'another' })).toEqual({ type: 'exists', call: begun.call });
  });

  test('a short read is journalled together with its outcome and its message, once', async () => {
    const { store, clock } = subject();
    const call = newToolCall(await startRun(store), { effect: 'read' });
    const message = { role: 'tool', toolCallId: 'c' as ToolCallId, name: 'look', text: 'found', isError: false } as const;
    const done = await store.journalRead(call, { status: 'done', result: 'found', isError: false, message }, 30);
    expect(done).toMatchObject({ ...call, status: 'done', result: 'found', startedAtMs: clock.nowMs - 30, endedAtMs: clock.nowMs });
    expect(await store.journalRead(call, { status: 'failed', result: 'other', isError: true })).toEqual(done);
    expect(await store.listToolCalls(call.runKey)).toEqual([done]);
    expect(await store.loadTranscript(call.runKey, { attemptId: null, nodeIds: [call.callKey] })).toEqual({ type: 'transcript', messages: [message] });
  });

  test('nothing but a read is journalled with its outcome alone', async () => {
    const { store } = subject();
    const key = await startRun(store);
    for (const effect of ['write', 'irreversible'] as const)
      await expect(store.journalRead(newToolCall(key, { effect }), { status: 'done', result: null, isError: false })).rejects.toMatchObject({
        type: 'invariantBroken',
      });
    expect(await store.listToolCalls(key)).toEqual([]);
  });

  test('an irreversible action can not begin without consuming an approval', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await expect(store.beginToolCall(newToolCall(key, { effect: 'irreversible' }))).rejects.toMatchObject({ type: 'invariantBroken' });
    expect(await store.listToolCalls(key)).toEqual([]);
  });

  test('an approval is consumed together with the intent', async () => {
    const { store, clock } = subject();
    const { gate, call } = await gated(store, await startRun(store));
    const consumed = await store.consumeApproval(call, byTheRule);
    expect(consumed).toMatchObject({
      type: 'permitted',
      call: { status: 'intent', approvalId: gate.approvalId },
      gate: { status: 'consumed', consumedAtMs: clock.nowMs },
    });
    expect(await store.getGate(call.runKey, gate.approvalId)).toMatchObject({ status: 'consumed', votes: gate.votes });
  });

  test('one approval permits one action, whoever asks and under whatever call', async () => {
    const { store, another } = subject();
    const { gate, call } = await gated(store, await startRun(store));
    const second = await another();
    const results = await Promise.all([
      store.consumeApproval(call, byTheRule),
      second.consumeApproval(call, byTheRule),
      second.consumeApproval({ ...call, callKey: 'other' }, permitted),
    ]);
    expect(results.map(({ type }) => type).toSorted()).toEqual(['exists', 'exists', 'permitted']);
    expect((await store.listToolCalls(call.runKey)).map(({ approvalId }) => approvalId)).toEqual([gate.approvalId]);
    await second.close();
  });

  test('what the rule refuses changes nothing', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const open = await store.createGate(newGate(key));
    expect(await store.consumeApproval(irreversible(key, open.approvalId), byTheRule)).toMatchObject({ type: 'refused', gateStatus: 'open' });
    const { gate, call } = await gated(store, key);
    clock.nowMs += gate.policy.approvalValidForMs;
    expect(await store.consumeApproval(call, byTheRule)).toMatchObject({ type: 'refused', gateStatus: 'expired' });
    expect(await store.listToolCalls(key)).toEqual([]);
    expect((await store.getGate(key, gate.approvalId))?.status).toBe('approved');
  });

  test('a gate of another run permits nothing', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const { gate } = await gated(store, other);
    const result = await store.consumeApproval(irreversible(key, gate.approvalId), permitted).catch((error: unknown) => error);
    expect(result).not.toMatchObject({ type: 'permitted' });
    expect(await store.listToolCalls(key)).toEqual([]);
    expect((await store.getGate(other, gate.approvalId))?.status).toBe('approved');
  });

  test('an action done more often than its gate knows of is stopped as a repetition, its approval unused', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const first = await gated(store, key);
    const second = await gated(store, key);
    await store.consumeApproval(first.call, byTheRule);
    expect(await store.consumeApproval(second.call, byTheRule)).toMatchObject({ type: 'repeated', earlier: { callKey: first.call.callKey } });
    expect((await store.getGate(key, second.gate.approvalId))?.status).toBe('approved');
    expect((await store.consumeApproval({ ...second.call, occurrence: 1 }, byTheRule)).type).toBe('permitted');
  });

  test('an action known to have failed is no repetition; one in doubt is', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const [first, second] = [await gated(store, key), await gated(store, key)];
    await store.consumeApproval(first.call, byTheRule);
    await store.finishToolCall(key, first.call.callKey, { status: 'inDoubt', result: null, isError: true });
    expect((await store.consumeApproval(second.call, byTheRule)).type).toBe('repeated');
    await store.finishToolCall(key, first.call.callKey, { status: 'failed', result: null, isError: true });
    expect(await store.findActions(key, 'refund', 'arguments-1')).toEqual([]);
    expect((await store.consumeApproval(second.call, byTheRule)).type).toBe('permitted');
  });

  test('actions are found by tool and arguments within their run, oldest first', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const [first, second, foreign] = [await gated(store, key), await gated(store, key), await gated(store, other)];
    await store.consumeApproval(first.call, permitted);
    await store.consumeApproval({ ...second.call, occurrence: 1 }, permitted);
    await store.consumeApproval(foreign.call, permitted);
    expect((await store.findActions(key, 'refund', 'arguments-1')).map(({ callKey }) => callKey)).toEqual([first.call.callKey, second.call.callKey]);
    expect(await store.findActions(key, 'refund', 'arguments-2')).toEqual([]);
    expect(await store.findActions(key, 'cancel', 'arguments-1')).toEqual([]);
  });

  test('an outcome is written with its transcript node, and the first one stays', async () => {
    const { store, clock } = subject();
    const call = newToolCall(await startRun(store));
    const { runKey: key, callKey } = call;
    await store.beginToolCall(call);
    clock.nowMs += 5;
    const message = { role: 'tool', toolCallId: 'c1' as never, name: 'find_order', text: 'shipped', isError: false } as const;
    const done = await store.finishToolCall(key, callKey, { status: 'done', result: { state: 'shipped', at: null }, isError: false, message });
    expect(done).toMatchObject({ status: 'done', result: { state: 'shipped', at: null }, isError: false, endedAtMs: clock.nowMs });
    const late = { status: 'failed', result: null, isError: true, message: { ...message, text: 'late' } } as const;
    expect(await store.finishToolCall(key, callKey, late)).toEqual(done);
    expect(await store.loadTranscript(key, { attemptId: null, nodeIds: [callKey] })).toEqual({ type: 'transcript', messages: [message] });
  });

  test('doubt may still become certainty, and certainty never doubt', async () => {
    const { store } = subject();
    const call = newToolCall(await startRun(store));
    await store.beginToolCall(call);
    const finish = (status: 'done' | 'failed' | 'inDoubt') => store.finishToolCall(call.runKey, call.callKey, { status, result: status, isError: false });
    expect((await finish('inDoubt')).status).toBe('inDoubt');
    expect((await finish('done')).status).toBe('done');
    expect(await finish('inDoubt')).toMatchObject({ status: 'done', result: 'done' });
    expect((await finish('failed')).status).toBe('done');
  });

  test('a call that the store lacks can not be finished', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await expect(store.finishToolCall(key, 'lost', { status: 'done', result: null, isError: false })).rejects.toMatchObject({ type: 'journalMissing' });
    expect(await store.getToolCall(key, 'lost')).toBeNull();
    expect(await store.findActions(runKey(), 'refund', 'x')).toEqual([]);
  });

  test('a line of a recording answers one call; its retry gets the same line', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const calls = [newToolCall(key), newToolCall(key), newToolCall(key)] as const;
    for (const call of calls) await store.beginToolCall(call);
    const claim = (index: 0 | 1 | 2, lines: number[], recording = RECORDING) => store.claimRecordedLine(key, calls[index].callKey, lines, recording);
    expect(await claim(0, [4, 9])).toBe(4);
    expect(await claim(1, [4, 9])).toBe(9);
    expect(await claim(0, [4, 9])).toBe(4);
    expect(await claim(2, [4, 9])).toBeNull();
    expect(await claim(2, [])).toBeNull();
    expect(await claim(2, [4, 9], 'd'.repeat(64) as ContentDigest)).toBe(4);
    expect((await store.getToolCall(key, calls[1].callKey))?.recordedLine).toBe(9);
  });

  test('the lines of a recording are free again for another run', async () => {
    const { store } = subject();
    for (const key of [await startRun(store), await startRun(store)]) {
      const call = newToolCall(key);
      await store.beginToolCall(call);
      expect(await store.claimRecordedLine(key, call.callKey, [1], RECORDING)).toBe(1);
    }
  });
}
