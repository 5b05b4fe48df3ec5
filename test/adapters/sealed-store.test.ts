import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { backupStore, restoreStore } from '../../adapters/stores/backup/backup.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import { sealedStore } from '../../adapters/stores/sealed/sealed-store.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { Store } from '../../domain/store/port.ts';
import { fillStore, lookAt } from '../support/full-store.ts';
import { describeStoreContract } from '../support/store-contract.ts';
import { auditNotes, approvedGate, newGate, newToolCall, newVote, reply, reserve, startRun } from '../support/store-contract/fixtures.ts';

describeStoreContract('the SQLite store, sealed', async (now) => {
  const home = await mkdtemp(join(tmpdir(), 'tollgate-store-'));
  const path = join(home, 'tollgate.db');
  const open = async () => {
    const store = await openSqliteStore({ path, now });
    return sealedStore(store, openKeyring({ home }, store), { seals: true });
  };
  return {
    store: await open(),
    another: open,
    remove: () => rm(home, { recursive: true, force: true }),
  };
});

describe('a sealed store', () => {
  let home: string;
  const opened: Store[] = [];
  const open = async (seals = true, at = home) => {
    const store = await openStore({ home: at, encryption: { store: seals } });
    opened.push(store);
    return store;
  };
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'tollgate-sealed-'));
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await rm(home, { recursive: true, force: true });
  });

  /** Says a secret at every place where somebody can say something. */
  async function tell(store: Store, secret: string) {
    const run = await startRun(store);
    await store.putNode(run, 'input', { role: 'user', text: `user ${secret}` });
    const attemptId = await reserve(store, run, { head: { attemptId: null, nodeIds: ['input'] } });
    const call = { toolCallId: 'c1' as never, name: 'find', arguments: JSON.stringify({ q: secret }) } as never;
    await store.reportAttempt(run, attemptId, {
      outcome: { type: 'reply' },
      reply: { ...reply(`model ${secret}`), toolCalls: [call], providerItems: [{ reasoning: secret }] },
    });
    const failed = await reserve(store, run, { step: 2 });
    await store.reportAttempt(run, failed, { outcome: { type: 'failed', verdict: { class: 'badRequest' } as never, message: `provider says ${secret}` } });
    const read = newToolCall(run);
    await store.beginToolCall(read);
    const message = { role: 'tool', toolCallId: 'c1' as never, name: 'find', text: `tool ${secret}`, isError: false } as const;
    await store.finishToolCall(run, read.callKey, { status: 'done', result: { found: secret }, isError: false, message });
    const gate = await store.createGate(newGate(run, { arguments: { to: secret }, reason: `because ${secret}`, votes: [newVote({ comment: secret })] }));
    await store.decideGate(
      run,
      gate.approvalId,
      (current) => ({
        gate: { ...current, votes: [...current.votes, newVote({ approver: 'eve', comment: `once more ${secret}` })] },
        answer: { type: 'accepted', gateStatus: 'open' } as never,
      }),
      () => ({ type: 'decision.accepted', runKey: run, actor: 'eve', data: { comment: secret } }),
    );
    const answer = { type: 'answered', text: `because ${secret}`, model: 'm', attemptId, atMs: 2 } as const;
    const question = { questionId: 'q', by: 'eve', text: `why ${secret}?`, atMs: 1, actionDigest: gate.actionDigest, answer };
    await store.changeGate(run, gate.approvalId, (current) => ({ gate: { ...current, questions: [question] }, audit: [] }));
    const digest = await store.putContent(`long message ${secret}`, run);
    return { run, attemptId, failed, read, gate, digest };
  }

  test('has no word of what was said in its files, and gives all of it back', async () => {
    const store = await open();
    const { run, attemptId, failed, read, gate, digest } = await tell(store, 'zanzibar');
    for (const file of ['tollgate.db', 'tollgate.db-wal']) expect((await readFile(join(home, file), 'latin1')).includes('zanzibar'), file).toBe(false);
    const other = await open();
    expect(await other.loadTranscript(run, { attemptId, nodeIds: [read.callKey] })).toMatchObject({
      messages: [
        { role: 'user', text: 'user zanzibar' },
        { role: 'assistant', text: 'model zanzibar', toolCalls: [{ name: 'find', arguments: '{"q":"zanzibar"}' }], providerItems: [{ reasoning: 'zanzibar' }] },
        { role: 'tool', text: 'tool zanzibar', name: 'find' },
      ],
    });
    expect(await other.getAttempt(run, attemptId)).toMatchObject({ reply: { text: 'model zanzibar', refusal: null, finishReason: 'stop' } });
    expect(await other.getAttempt(run, failed)).toMatchObject({ outcome: { message: 'provider says zanzibar' } });
    expect(await other.getToolCall(run, read.callKey)).toMatchObject({ result: { found: 'zanzibar' } });
    expect(await other.findGate(gate.approvalId)).toMatchObject({
      arguments: { to: 'zanzibar' },
      reason: 'because zanzibar',
      votes: [{ comment: 'zanzibar' }, { comment: 'once more zanzibar' }],
      questions: [{ text: 'why zanzibar?', answer: { text: 'because zanzibar' } }],
    });
    expect(await other.getContent(digest)).toBe('long message zanzibar');
    expect(await auditNotes(other, run)).toMatchObject([{ actor: 'eve', data: { comment: 'zanzibar' } }]);
  });

  test('reads what was written before it sealed, and goes on sealed; switched off again, it reads both', async () => {
    const before = await tell(await open(false), 'plainly');
    const store = await open(true);
    const after = await tell(store, 'zanzibar');
    for (const reader of [store, await open(false)])
      for (const [{ run, attemptId, gate, read, digest }, said] of [
        [before, 'plainly'],
        [after, 'zanzibar'],
      ] as const) {
        expect(await reader.getAttempt(run, attemptId)).toMatchObject({ reply: { text: `model ${said}` } });
        expect(await reader.getGate(run, gate.approvalId)).toMatchObject({ arguments: { to: said } });
        expect(await reader.getToolCall(run, read.callKey)).toMatchObject({ result: { found: said } });
        expect(await reader.getContent(digest)).toBe(`long message ${said}`);
      }
    expect(await store.reportAttempt(before.run, before.attemptId, { outcome: { type: 'reply' }, reply: reply('late') })).toMatchObject({
      reply: { text: 'model plainly' },
    });
  });

  test('a text that looks sealed is a text like any other, also where nothing is sealed', async () => {
    for (const seals of [true, false]) {
      const store = await open(seals);
      for (const text of ['sealed:1:', 'sealed:1:AAAA', `sealed:1:${'A'.repeat(80)}`]) {
        const { run, attemptId, read, gate } = await tell(store, 'x');
        await store.putNode(run, 'odd', { role: 'user', text });
        expect(await store.loadTranscript(run, { attemptId: null, nodeIds: ['odd'] })).toMatchObject({ messages: [{ text }] });
        const odd = newToolCall(run, { callKey: `${text}-call` });
        await store.beginToolCall(odd);
        expect(await store.finishToolCall(run, odd.callKey, { status: 'done', result: text, isError: false })).toMatchObject({ result: text });
        expect([attemptId, read, gate].length).toBe(3);
        const asked = await store.createGate(newGate(run, { arguments: text }));
        expect(await store.getGate(run, asked.approvalId)).toMatchObject({ arguments: text });
        const answered = await reserve(store, run, { step: 3 });
        expect(await store.reportAttempt(run, answered, { outcome: { type: 'reply' }, reply: reply(text) })).toMatchObject({ reply: { text } });
      }
    }
  });

  test('without the key file it says what is missing, and answers nothing in place of what was said', async () => {
    const { run, attemptId } = await tell(await open(), 'zanzibar');
    await rm(join(home, 'keys'), { recursive: true });
    const store = await open();
    await expect(store.loadTranscript(run, { attemptId, nodeIds: [] })).rejects.toMatchObject({
      type: 'unreadable',
      message: expect.stringContaining('root-*.key'),
    });
    expect(await store.getLedger(run)).toMatchObject({ heldNanoUsd: 200 });
  });

  test('whose key was destroyed keeps its rows, says that they were erased, and keeps nothing that comes late', async () => {
    const store = await open();
    const { run, attemptId, gate, read, digest } = await tell(store, 'zanzibar');
    await openKeyring({ home }, store).destroy({ type: 'run', tenant: 'acme', runKey: run });
    const after = await open();
    expect(await after.loadTranscript(run, { attemptId, nodeIds: [] })).toEqual({ type: 'missing', what: 'the transcript, which was erased' });
    expect(await after.getAttempt(run, attemptId)).toMatchObject({ reply: { text: '[erased]', toolCalls: [] } });
    expect(await after.getGate(run, gate.approvalId)).toMatchObject({ arguments: '[erased]', reason: '[erased]', votes: [], status: 'open' });
    expect(await after.getToolCall(run, read.callKey)).toMatchObject({ result: '[erased]', status: 'done' });
    expect(await after.getContent(digest)).toBeNull();
    expect(await auditNotes(after, run)).toMatchObject([{ type: 'decision.accepted', actor: 'eve', data: '[erased]' }]);
    await after.putNode(run, 'late', { role: 'user', text: 'late zanzibar' });
    expect((await readFile(join(home, 'tollgate.db-wal'), 'latin1')).includes('late zanzibar')).toBe(false);
  });

  test('is backed up sealed, and can be read where both the backup and the key file are', async () => {
    const store = await open();
    const filled = await fillStore(store);
    const secret = await tell(store, 'zanzibar');
    const before = await lookAt(store, filled);
    const file = join(home, 'backup.jsonl');
    await backupStore({ home }, file, { overwrite: false });
    expect(await readFile(file, 'utf8')).not.toContain('zanzibar');
    const elsewhere = await mkdtemp(join(tmpdir(), 'tollgate-sealed-'));
    try {
      await restoreStore({ home: elsewhere }, file, { replace: false });
      const blind = await open(true, elsewhere);
      await expect(blind.getAttempt(secret.run, secret.attemptId)).rejects.toMatchObject({ type: 'unreadable' });
      await rm(join(elsewhere, 'keys'), { recursive: true });
      await import('node:fs/promises').then(({ cp }) => cp(join(home, 'keys'), join(elsewhere, 'keys'), { recursive: true }));
      const restored = await open(true, elsewhere);
      expect(await lookAt(restored, filled)).toEqual(before);
      expect(await restored.getAttempt(secret.run, secret.attemptId)).toMatchObject({ reply: { text: 'model zanzibar' } });
    } finally {
      for (const one of opened.splice(0)) await one.close();
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  test('the rules of an approval see the gate as it was asked for', async () => {
    const store = await open();
    const run = await startRun(store);
    const gate = await store.createGate(approvedGate(run, { arguments: { to: 'bob' } }));
    const call = { ...newToolCall(run, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
    const seen: unknown[] = [];
    const result = await store.consumeApproval(call, (current) => {
      seen.push(current.arguments, current.votes.length);
      return { type: 'permitted' };
    });
    expect(seen).toEqual([{ to: 'bob' }, 1]);
    expect(result).toMatchObject({ type: 'permitted', gate: { arguments: { to: 'bob' }, status: 'consumed' } });
  });
});
