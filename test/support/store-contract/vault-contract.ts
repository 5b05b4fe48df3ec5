import { expect, test } from 'vitest';
import type { VaultEntry } from '../../../domain/redaction/store-port.ts';
import type { Subject } from '../store-contract.ts';
import { auditNotes, startRun } from './fixtures.ts';

function entry(number: number, valueHash: string): VaultEntry {
  return { token: `⟦email:${number}⟧`, type: 'email', valueHash, sealed: `sealed:1:${valueHash}` };
}

const COUNT = { place: 'input', type: 'email', action: 'tokenise', count: 1 } as const;

export function describeVaultContract(subject: Subject): void {
  test('the vault gives back what was put into it, by run and in order, also to another process', async () => {
    const { store, another } = subject();
    const [run, other] = [await startRun(store), await startRun(store)];
    expect(await store.recordRedaction(run, { entries: [entry(1, 'a'), entry(2, 'b')], counts: [COUNT] })).toBe('recorded');
    expect(await store.recordRedaction(other, { entries: [entry(1, 'b')], counts: [] })).toBe('recorded');
    expect(await store.recordRedaction(run, { entries: [entry(3, 'c')], counts: [] })).toBe('recorded');
    const second = await another();
    const found = await second.listVault(run);
    expect(found).toMatchObject([entry(1, 'a'), entry(2, 'b'), entry(3, 'c')]);
    expect(await second.listVault(run, found[1]?.sequence)).toMatchObject([entry(3, 'c')]);
    expect(await second.listVault(other)).toMatchObject([entry(1, 'b')]);
    await second.close();
  });

  test('a token never stands for two values, a value never has two tokens, and whoever comes late writes nothing', async () => {
    const { store } = subject();
    const run = await startRun(store);
    await store.recordRedaction(run, { entries: [entry(1, 'a')], counts: [] });
    const audit = { type: 'redaction.applied', runKey: run, actor: 'tollgate', data: {} };
    const late = [[entry(1, 'b')], [entry(2, 'a')], [entry(2, 'b'), entry(1, 'c')]];
    for (const entries of late) expect(await store.recordRedaction(run, { entries, counts: [COUNT], audit })).toBe('conflict');
    expect(await store.listVault(run)).toHaveLength(1);
    expect(await store.countRedactions({ runKey: run })).toEqual([]);
    expect(await auditNotes(store, run)).toEqual([]);
    expect(await store.recordRedaction(run, { entries: [entry(1, 'a'), entry(2, 'b')], counts: [], audit })).toBe('recorded');
    expect(await store.listVault(run)).toHaveLength(2);
    expect(await auditNotes(store, run)).toHaveLength(1);
  });

  test('of several that add the same values at once each value gets one token', async () => {
    const { store, another } = subject();
    const second = await another();
    const run = await startRun(store);
    const answers = await Promise.all(
      [store, second, store, second].map((one, index) => one.recordRedaction(run, { entries: [entry(1, `value-${index}`)], counts: [] })),
    );
    expect(answers.filter((answer) => answer === 'recorded')).toHaveLength(1);
    expect(await store.listVault(run)).toHaveLength(1);
    await second.close();
  });

  test('what redaction did is summed by run and by tenant', async () => {
    const { store } = subject();
    const [run, other] = [await startRun(store, { tenant: 'shop' }), await startRun(store, { tenant: 'shop' })];
    const elsewhere = await startRun(store, { tenant: 'bank' });
    for (const runKey of [run, run, other, elsewhere]) await store.recordRedaction(runKey, { entries: [], counts: [{ ...COUNT, count: 2 }] });
    expect(await store.countRedactions({ runKey: run })).toEqual([{ ...COUNT, count: 4 }]);
    expect(await store.countRedactions({ tenant: 'shop' })).toEqual([{ ...COUNT, count: 6 }]);
    expect(await store.countRedactions({ tenant: 'nobody' })).toEqual([]);
  });

  test('a run that the store does not know has no vault', async () => {
    const { store } = subject();
    const known = await startRun(store);
    const runKey = { ...known, firstExecutionRunId: 'unknown' };
    await expect(store.recordRedaction(runKey, { entries: [entry(1, 'a')], counts: [] })).rejects.toMatchObject({ type: 'journalMissing' });
    expect(await store.listVault(runKey)).toEqual([]);
  });
}
