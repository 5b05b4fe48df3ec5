import { expect, test } from 'vitest';
import { DATA_CLASSES } from '../../../domain/erasure/store-port.ts';
import type { Subject } from '../store-contract.ts';
import { END, newGate, newToolCall, newVote, reply, reserve, startRun, usd } from './fixtures.ts';

const HASH = 'a'.repeat(64);

export function describeErasureContract(subject: Subject): void {
  async function told() {
    const { store } = subject();
    const run = await startRun(store, { subject: HASH });
    await store.putNode(run, 'input', { role: 'user', text: 'secret' });
    const attemptId = await reserve(store, run, { head: { attemptId: null, nodeIds: ['input'] } });
    await store.setResponseId(run, attemptId, 'resp_1');
    await store.reportAttempt(run, attemptId, { outcome: { type: 'reply' }, reply: reply('secret'), money: { type: 'settle', costNanoUsd: usd(90) } });
    const failed = await reserve(store, run, { step: 2 });
    await store.reportAttempt(run, failed, { outcome: { type: 'failed', verdict: { class: 'badRequest' } as never, message: 'secret' } });
    const call = newToolCall(run);
    await store.beginToolCall(call);
    await store.finishToolCall(run, call.callKey, { status: 'done', result: { found: 'secret' }, isError: false });
    const gate = await store.createGate(newGate(run, { arguments: { to: 'secret' }, votes: [newVote({ comment: 'secret' })] }));
    const digest = await store.putContent('a long secret', run);
    await store.recordRedaction(run, { entries: [{ token: '⟦email:1⟧', type: 'email', valueHash: 'b'.repeat(64), sealed: 'x' }], counts: [] });
    await store.endRun(run, { ...END, message: 'secret' }, 2);
    return { run, attemptId, failed, call, gate, digest };
  }

  test('an erased run keeps its rows and its ledger, and nothing of what was said', async () => {
    const { store, another } = subject();
    const { run, attemptId, failed, call, gate, digest } = await told();
    const ledger = await store.getLedger(run);
    const shared = await store.putContent('a definition');
    await store.eraseRun(run, DATA_CLASSES);
    await store.eraseRun(run, DATA_CLASSES);
    const other = await another();
    expect(await other.loadTranscript(run, { attemptId, nodeIds: [] })).toMatchObject({ type: 'missing' });
    expect(await other.getAttempt(run, attemptId)).toMatchObject({
      reply: { text: '[erased]' },
      outcome: { type: 'reply' },
      responseId: null,
      requestDigest: 'erased',
    });
    expect(await other.getAttempt(run, failed)).toMatchObject({ outcome: { type: 'failed', verdict: { class: 'badRequest' }, message: '[erased]' } });
    expect(await other.getToolCall(run, call.callKey)).toMatchObject({ result: '[erased]', status: 'done', argumentsDigest: 'erased' });
    expect(await other.getGate(run, gate.approvalId)).toMatchObject({
      arguments: '[erased]',
      reason: '[erased]',
      votes: [],
      status: 'withdrawn',
      tool: 'refund',
    });
    expect(await other.getRun(run)).toMatchObject({ status: 'completed', end: { status: 'completed', message: '[erased]' } });
    expect(await other.getContent(digest)).toBeNull();
    expect(await other.getContent(shared)).toBe('a definition');
    expect(await other.listVault(run)).toEqual([]);
    expect(await other.getLedger(run)).toEqual(ledger);
    await other.close();
  });

  test('a class of data is removed alone, and remembered', async () => {
    const { store } = subject();
    const { run, call, attemptId } = await told();
    await store.eraseRun(run, ['journals']);
    expect(await store.getToolCall(run, call.callKey)).toMatchObject({ result: '[erased]' });
    expect(await store.getAttempt(run, attemptId)).toMatchObject({ reply: { text: 'secret' } });
    const agentRunId = run.agentRunId;
    expect(await store.listErasable({ agentRunId, notRemoved: ['journals'], limit: 9 })).toEqual([]);
    expect(await store.listErasable({ agentRunId, notRemoved: ['journals', 'vault'], limit: 9 })).toMatchObject([{ runKey: run, tenant: 'acme' }]);
    await store.eraseRun(run, ['vault', 'audit']);
    expect(await store.listErasable({ agentRunId, notRemoved: DATA_CLASSES, limit: 9 })).toHaveLength(1);
    expect(await store.listStoredResponses(run)).toEqual([{ endpoint: 'openai', responseId: 'resp_1', isHeld: false }]);
    await store.eraseRun(run, ['transcripts'], { keepResponseIds: true });
    expect(await store.listStoredResponses(run)).toHaveLength(1);
    expect(await store.listErasable({ agentRunId, notRemoved: DATA_CLASSES, limit: 9 })).toHaveLength(1);
    await store.eraseRun(run, ['transcripts']);
    expect(await store.listErasable({ agentRunId, notRemoved: DATA_CLASSES, limit: 9 })).toEqual([]);
  });

  test('a recording goes with the last run whose task has it', async () => {
    const { store } = subject();
    const recording = await store.putContent('{"name":"look","arguments":{},"result":"secret"}');
    const task = (name: string) => store.putContent(JSON.stringify({ name, tools: [{ binding: { type: 'recorded', contentDigest: recording } }] }));
    const definition = await task('never started');
    const first = await startRun(store, { snapshotDigest: await task('first') });
    const second = await startRun(store, { snapshotDigest: await task('second') });
    const third = await startRun(store, { snapshotDigest: await task('second') });
    for (const run of [first, second, third]) await store.endRun(run, END, 1);
    await store.eraseRun(second, DATA_CLASSES);
    await store.eraseRun(first, ['journals', 'vault', 'audit']);
    await store.eraseRun(third, DATA_CLASSES);
    expect(await store.getContent(recording)).not.toBeNull();
    await store.eraseRun(first, ['transcripts']);
    expect(await store.getContent(recording)).toBeNull();
    expect(await store.getContent(definition)).not.toBeNull();
  });

  test('runs are found by tenant, by the person they are about, by a value in their vault, and by their end', async () => {
    const { store, clock } = subject();
    const startedAt = clock.nowMs;
    const { run } = await told();
    clock.nowMs += 100;
    const bare = await startRun(store);
    const other = await startRun(store, { tenant: 'globex', subject: HASH });
    const find = async (filter: object) => (await store.listErasable({ notRemoved: DATA_CLASSES, limit: 9, ...filter })).map(({ runKey }) => runKey);
    const nobody = 'c'.repeat(64);
    expect(await find({ tenant: 'acme' })).toEqual([run, bare]);
    expect(await find({ tenant: 'acme', person: { subject: HASH, valueHash: nobody } })).toEqual([run]);
    expect(await find({ tenant: 'acme', person: { subject: nobody, valueHash: 'b'.repeat(64) } })).toEqual([run]);
    expect(await find({ tenant: 'acme', person: { subject: nobody, valueHash: nobody } })).toEqual([]);
    expect(await find({ tenant: 'globex', person: { subject: HASH, valueHash: nobody } })).toEqual([other]);
    expect(await find({ endedBeforeMs: startedAt + 1 })).toEqual([run]);
    expect(await find({ endedBeforeMs: startedAt })).toEqual([]);
    const [first] = await store.listErasable({ notRemoved: DATA_CLASSES, limit: 1 });
    expect(await find({ after: first?.position })).toEqual([bare, other]);
  });
}
