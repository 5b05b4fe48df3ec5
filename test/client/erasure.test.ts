import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import { erase, type ErasurePorts } from '../../client/erasure.ts';
import type { RunKey } from '../../contracts/ids.ts';
import { personHashes } from '../../domain/erasure/person.ts';
import { applyRetention } from '../../domain/erasure/retention.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { NewRun, Store } from '../../domain/store/port.ts';
import { auditNotes, END, reply, reserve, startRun, usd } from '../support/store-contract/fixtures.ts';

const DAY_MS = 86_400_000;
let home: string;
let store: Store;
let ports: ErasurePorts;
let deleted: string[];
let refuses: boolean;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tollgate-erase-'));
  store = await openStore({ home, encryption: { store: true } });
  deleted = [];
  refuses = false;
  const endpoint: Pick<ModelEndpoint, 'deleteResponse'> = {
    deleteResponse: async (responseId) => {
      if (refuses) throw new Error('503 not now');
      deleted.push(responseId);
    },
  };
  ports = {
    store,
    keyring: openKeyring({ home }, store),
    actor: 'dpo',
    endpoint: (name) => (name === 'openai' ? (endpoint as ModelEndpoint) : null),
    retentionMs: async () => 3 * DAY_MS,
  };
});
afterEach(async () => {
  await store.close();
  await rm(home, { recursive: true, force: true });
});

async function said(text: string, change: Partial<NewRun> = {}, options: { readonly ends?: boolean; readonly settles?: boolean } = {}): Promise<RunKey> {
  const run = await startRun(store, change);
  await store.putNode(run, 'input', { role: 'user', text });
  const attemptId = await reserve(store, run);
  await store.setResponseId(run, attemptId, `resp_${text}`);
  const money = options.settles === false ? {} : { money: { type: 'settle', costNanoUsd: usd(1) } as const };
  await store.reportAttempt(run, attemptId, { outcome: { type: 'reply' }, reply: reply(text), ...money });
  await store.appendAudit({ type: 'note', runKey: run, actor: 'alice', data: { text } });
  if (options.ends !== false) await store.endRun(run, END, 1);
  return run;
}
const textOf = async (run: RunKey) => (await store.listAttempts(run))[0]?.reply?.text;
const inFiles = async (text: string) =>
  (await Promise.all(['tollgate.db', 'tollgate.db-wal'].map((file) => readFile(join(home, file), 'latin1')))).some((bytes) => bytes.includes(text));

describe('an erasure', () => {
  test('of a run removes it and its children, and no other; the audit and the ledger stay', async () => {
    const parent = await said('parent');
    const child = await said('child', { parentRunKeys: [parent] });
    const other = await said('other');
    const audited = (await store.listAudit({ limit: 100 })).length;
    const report = await erase(ports, { type: 'run', agentRunId: parent.agentRunId });
    expect(report).toMatchObject({ erasedRuns: 2, stillRunning: [], responsesDeleted: 2, responsesLeft: [], tenantKeysDestroyed: null, isComplete: true });
    expect(report.temporal).toMatchObject({ histories: 2, retentionDays: 3, removedBy: expect.stringMatching(/^20/) });
    expect(deleted.toSorted()).toEqual(['resp_child', 'resp_parent']);
    expect(await Promise.all([parent, child, other].map(textOf))).toEqual(['[erased]', '[erased]', 'other']);
    const audit = await store.listAudit({ limit: 100 });
    expect(audit).toHaveLength(audited + 6);
    expect(audit.filter(({ type }) => type === 'note').map(({ data }) => data)).toEqual(['[erased]', '[erased]', { text: 'other' }]);
    expect(audit.filter(({ actor }) => actor === 'dpo').map(({ type }) => type)).toEqual([
      'erasure.requested',
      'erasure.run',
      'erasure.run',
      'erasure.completed',
    ]);
    expect(await store.getLedger(parent)).toMatchObject({ settledNanoUsd: 2 });
    expect(await erase(ports, { type: 'run', agentRunId: parent.agentRunId })).toMatchObject({ erasedRuns: 0, isComplete: true });
    await expect(erase(ports, { type: 'run', agentRunId: 'no-such-run' })).rejects.toMatchObject({ type: 'notFound' });
  });

  test('of a person finds runs by subject and by a value in the vault, in that tenant alone, and writes the person down nowhere', async () => {
    const hashes = personHashes(await ports.keyring.keyedHash('acme'), ' Ada@Example.com ');
    const about = await said('about', { subject: hashes.subject });
    const mentions = await said('mentions');
    await store.recordRedaction(mentions, {
      entries: [{ token: '⟦email:1⟧', type: 'email', valueHash: (await ports.keyring.keyedHash('acme')).hash('vault', 'ada@example.com'), sealed: 'x' }],
      counts: [],
    });
    const elsewhere = await said('elsewhere', { tenant: 'globex', subject: hashes.subject });
    const other = await said('other');
    expect(await erase(ports, { type: 'person', tenant: 'acme', person: 'ada@example.com' })).toMatchObject({ erasedRuns: 2, isComplete: true });
    expect(await Promise.all([about, mentions, elsewhere, other].map(textOf))).toEqual(['[erased]', '[erased]', 'elsewhere', 'other']);
    expect(JSON.stringify(await store.listAudit({ limit: 100 })).toLowerCase()).not.toContain('ada@');
    expect(await inFiles('ada@example.com')).toBe(false);
  });

  test('of a tenant destroys its own keys too, and it may come back with nothing of before', async () => {
    const [first, other] = [await said('first'), await said('other', { tenant: 'globex' })];
    const sealed = (await ports.keyring.key({ type: 'tenant', tenant: 'acme' })).seal(Buffer.from('x'), 'c');
    expect(await erase(ports, { type: 'tenant', tenant: 'acme' })).toMatchObject({ erasedRuns: 1, tenantKeysDestroyed: true });
    expect(await Promise.all([first, other].map(textOf))).toEqual(['[erased]', 'other']);
    const again = await ports.keyring.key({ type: 'tenant', tenant: 'acme' });
    expect(() => again.open(sealed, 'c')).toThrow(expect.objectContaining({ type: 'erased' }));
    expect(await textOf(await said('back'))).toBe('back');
  });

  test('leaves what has not ended, says so, and completes when it is asked again', async () => {
    const [ended, going] = [await said('ended'), await said('going', {}, { ends: false })];
    const report = await erase(ports, { type: 'tenant', tenant: 'acme' });
    expect(report).toMatchObject({ erasedRuns: 1, stillRunning: [going.agentRunId], tenantKeysDestroyed: false, isComplete: false });
    expect(await Promise.all([ended, going].map(textOf))).toEqual(['[erased]', 'going']);
    await store.endRun(going, END, 1);
    expect(await erase(ports, { type: 'tenant', tenant: 'acme' })).toMatchObject({ erasedRuns: 1, tenantKeysDestroyed: true, isComplete: true });
    expect(await textOf(going)).toBe('[erased]');
  });

  test('keeps the id of a response that is still at its provider or whose cost is held, and deletes it the next time', async () => {
    const held = await said('held', {}, { settles: false });
    const refused = await said('refused');
    refuses = true;
    const report = await erase(ports, { type: 'tenant', tenant: 'acme' });
    expect(report.responsesLeft).toEqual([
      { agentRunId: held.agentRunId, responseId: 'resp_held', reason: expect.stringContaining('held') },
      { agentRunId: refused.agentRunId, responseId: 'resp_refused', reason: expect.stringContaining('503 not now') },
    ]);
    expect(report.isComplete).toBe(false);
    expect(await Promise.all([held, refused].map(textOf))).toEqual(['[erased]', '[erased]']);
    refuses = false;
    const [attempt] = await store.listAttempts(held);
    if (attempt) await store.moveMoney(held, attempt.attemptId, { type: 'settle', costNanoUsd: usd(1) });
    expect(await erase(ports, { type: 'tenant', tenant: 'acme' })).toMatchObject({ responsesDeleted: 2, isComplete: true });
    expect(deleted).toEqual(['resp_held', 'resp_refused']);
  });

  test('that is cut off anywhere completes when it is asked again', async () => {
    const names = ['one', 'two', 'three'];
    for (const at of ['listStoredResponses', 'destroyKeys', 'eraseRun', 'appendAudit'] as const)
      for (const nth of [1, 2, 3]) {
        const tenant = `${at}-${nth}`;
        const runs: RunKey[] = [];
        for (const name of names) runs.push(await said(`${tenant}-${name}`, { tenant }));
        await expect(erase(cutOff(at, nth), { type: 'tenant', tenant })).rejects.toThrow('cut off');
        const report = await erase(ports, { type: 'tenant', tenant });
        expect(report.isComplete, tenant).toBe(true);
        expect(await Promise.all(runs.map(textOf)), tenant).toEqual(['[erased]', '[erased]', '[erased]']);
      }
  });

  /** Ports whose store gives out at the n-th call of one kind. */
  function cutOff(name: 'listStoredResponses' | 'destroyKeys' | 'eraseRun' | 'appendAudit', nth: number): ErasurePorts {
    let calls = 0;
    const counted =
      (method: (...args: never[]) => Promise<unknown>) =>
      async (...args: never[]) => {
        calls += 1;
        if (calls >= nth) throw new Error('cut off');
        return await method(...args);
      };
    const broken = { ...store, [name]: counted(store[name] as never) } as Store;
    return { ...ports, store: broken, keyring: openKeyring({ home }, broken) };
  }

  test('removes what was never sealed from the file too', async () => {
    await store.close();
    store = await openStore({ home, encryption: { store: false } });
    ports = { ...ports, store, keyring: openKeyring({ home }, store) };
    const run = await said('never-sealed');
    expect(await inFiles('never-sealed')).toBe(true);
    await erase(ports, { type: 'run', agentRunId: run.agentRunId });
    await store.appendAudit({ type: 'after', runKey: null, actor: 'x', data: null });
    const left = (await Promise.all(['tollgate.db', 'tollgate.db-wal'].map((file) => readFile(join(home, file), 'latin1')))).join('');
    expect(left).not.toContain('never-sealed');
  });
});

describe('retention', () => {
  test('removes each class when its time has come, of ended runs only, some in each pass', async () => {
    const runs: RunKey[] = [];
    for (const name of ['a', 'b', 'c']) runs.push(await said(name));
    const going = await said('going', {}, { ends: false });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const keyring = ports.keyring;
    expect(await applyRetention({ store, keyring }, {}, 2)).toMatchObject({ removed: { transcripts: 0 }, isMore: false });
    expect(await applyRetention({ store, keyring }, { transcripts: DAY_MS }, 2)).toMatchObject({ removed: { transcripts: 0 }, isMore: false });
    expect(await applyRetention({ store, keyring }, { transcripts: 0 }, 2)).toMatchObject({ removed: { transcripts: 2, audit: 0 }, isMore: true });
    expect(await applyRetention({ store, keyring }, { transcripts: 0 }, 2)).toMatchObject({ removed: { transcripts: 1 }, isMore: false });
    expect(await Promise.all([...runs, going].map(textOf))).toEqual(['[erased]', '[erased]', '[erased]', 'going']);
    expect((await auditNotes(store)).slice(0, 1).map(({ data }) => data)).toEqual([{ text: 'a' }]);
    expect(await applyRetention({ store, keyring }, { audit: 0 }, 5)).toMatchObject({ removed: { audit: 3 } });
    const reopened = await openStore({ home });
    expect((await auditNotes(reopened)).map(({ data }) => data)).toEqual(['[erased]', '[erased]', '[erased]', { text: 'going' }]);
    await reopened.close();
    expect(await store.listRuns({ limit: 9 })).toHaveLength(4);
  });
});
