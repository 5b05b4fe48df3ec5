import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { DecisionAnswer } from '../../../contracts/approval.ts';
import type { ApprovalId, AttemptId } from '../../../contracts/ids.ts';
import { take } from '../../../domain/approval/claim.ts';
import { type GateRecord, permits } from '../../../domain/approval/gate.ts';
import { ask } from '../../../domain/approval/question.ts';
import type { AuditEntry } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { auditNotes, approvedGate, newGate, newVote, permitted, runKey, startRun, usd } from './fixtures.ts';

const byTheRule = (gate: GateRecord, nowMs: number) => permits(gate, gate.votes, nowMs);
const accept = (gate: GateRecord, change: Partial<GateRecord>) => ({
  gate: { ...gate, ...change },
  answer: { type: 'accepted', gateStatus: change.status ?? gate.status, message: 'ok' } as DecisionAnswer,
});
const auditOf =
  (gate: GateRecord) =>
  (answer: DecisionAnswer): AuditEntry => ({ type: `decision.${answer.type}`, runKey: gate.runKey, actor: 'bob', data: { message: answer.message } });

export function describeGateContract(subject: Subject): void {
  test('a gate comes back as it was created, and the first one of an id stays', async () => {
    const { store } = subject();
    const gate = approvedGate(await startRun(store), {
      spentDecisions: ['x'],
      policy: { approvers: 2, role: 'lead', expiresAfterMs: 1_000, approvalValidForMs: 1_000, requesterMayDecide: false },
    });
    expect(await store.createGate(gate)).toEqual(gate);
    expect(await store.createGate({ ...gate, status: 'open', arguments: {} })).toEqual(gate);
    expect(await store.getGate(gate.runKey, gate.approvalId)).toEqual(gate);
    expect(await store.findGate(gate.approvalId)).toEqual(gate);
  });

  test('what is beside the votes of a gate is changed on its locked row, with its audit, or left alone', async () => {
    const { store } = subject();
    const gate = await store.createGate(newGate(await startRun(store)));
    const entry = (type: string): AuditEntry => ({ type, runKey: gate.runKey, actor: 'tollgate', data: { approvalId: gate.approvalId } });
    const edits = [{ editor: 'bob', atMs: 1, comment: null, fromArguments: { amount: 9 }, fromDigest: gate.actionDigest, signedDecision: 'x.y' }];
    const answer = { type: 'answered', text: 'because', model: 'gpt-5-mini', attemptId: randomUUID() as AttemptId, atMs: 3 } as const;
    const asked = { questionId: 'q', by: 'bob', text: 'why?', atMs: 2, actionDigest: gate.actionDigest };
    const beside = { edits, questions: [asked, { ...asked, questionId: 'r', answer }], claim: { by: 'bob', displayName: 'Bob', untilMs: 9 } };
    const changed = { ...gate, escalatedAtMs: 7, terms: { revision: 1, escalatesAtMs: 6, editors: ['bob'] }, ...beside };
    expect(await store.changeGate(gate.runKey, gate.approvalId, () => ({ gate: changed, audit: [entry('gate.escalated')] }))).toEqual(changed);
    expect(await store.getGate(gate.runKey, gate.approvalId)).toEqual(changed);
    expect(await store.changeGate(gate.runKey, gate.approvalId, () => null)).toEqual(changed);
    expect(await store.changeGate(runKey(), gate.approvalId, () => ({ gate, audit: [entry('never')] }))).toBeNull();
    expect((await auditNotes(store, gate.runKey)).map(({ type }) => type)).toEqual(['gate.escalated']);
  });

  test('of several who take a gate at once one has it, and a question stands once however often it is put', async () => {
    const { store } = subject();
    const gate = await store.createGate(newGate(await startRun(store), { status: 'open', expiresAtMs: (await store.nowMs()) + 60_000 }));
    const who = (name: string) => ({ name, roles: ['*'], delegations: [], tenant: 'acme', requesterMayDecideByDefault: true });
    const names = ['alice', 'bob', 'carol', 'dan'];
    const taking = names.map((name) =>
      store.changeGate(gate.runKey, gate.approvalId, (row, nowMs) => {
        const taken = take(row, who(name), nowMs);
        const audit: AuditEntry[] = [{ type: 'gate.taken', runKey: row.runKey, actor: name, data: {} }];
        return taken.type === 'accepted' && taken.gate ? { gate: taken.gate, audit } : null;
      }),
    );
    await Promise.all(taking);
    const notes = await auditNotes(store, gate.runKey);
    expect(notes).toHaveLength(1);
    expect((await store.getGate(gate.runKey, gate.approvalId))?.claim?.by).toBe(notes[0]?.actor);

    const question = {
      version: 1,
      statement: 'question',
      questionId: 'q',
      ...gate.runKey,
      approvalId: gate.approvalId,
      actionDigest: gate.actionDigest,
    } as const;
    const said = { ...question, text: 'why?', asker: 'bob', roles: ['*'], expiresAtMs: (await store.nowMs()) + 60_000 };
    await Promise.all(
      names.map(() =>
        store.changeGate(gate.runKey, gate.approvalId, (row, nowMs) => {
          const next = ask(row, { question: said, text: 'why?', asker: who('bob') }, nowMs).gate;
          return next && { gate: next, audit: [] };
        }),
      ),
    );
    expect((await store.getGate(gate.runKey, gate.approvalId))?.questions).toMatchObject([{ questionId: 'q', by: 'bob', text: 'why?' }]);
  });

  test('a gate id names a gate only within its run', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const gate = await store.createGate(newGate(key));
    expect(await store.getGate(other, gate.approvalId)).toBeNull();
    expect(await store.getGate(runKey(), gate.approvalId)).toBeNull();
    expect(await store.closeGate(other, gate.approvalId, 'withdrawn')).toBeNull();
    expect(await store.decideGate(other, gate.approvalId, (row) => accept(row, { status: 'approved' }), auditOf(gate))).toBeNull();
    expect((await store.getGate(key, gate.approvalId))?.status).toBe('open');
    expect(await store.findGate('nobody' as ApprovalId)).toBeNull();
  });

  test('gates are listed by run and status, and never more than asked for', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const [first, second] = [await store.createGate(newGate(key)), await store.createGate(newGate(other))];
    const denied = await store.createGate(newGate(key, { status: 'denied' }));
    const listed = async (filter: object) => (await store.listGates({ limit: 10, ...filter })).map(({ approvalId }) => approvalId);
    expect(await listed({ status: 'open' })).toEqual([first.approvalId, second.approvalId]);
    expect(await listed({ runKey: key })).toEqual([first.approvalId, denied.approvalId]);
    expect(await listed({ runKey: key, status: 'denied' })).toEqual([denied.approvalId]);
    expect(await listed({ limit: 1 })).toEqual([first.approvalId]);
    expect(await listed({ runKey: runKey() })).toEqual([]);
    const foreign = await store.createGate(newGate(await startRun(store, { tenant: 'globex' })));
    expect(await listed({ tenant: 'globex' })).toEqual([foreign.approvalId]);
    expect(await listed({ tenant: 'acme', limit: 1 })).not.toContain(foreign.approvalId);
    expect(await listed({ tenant: 'acme' })).not.toContain(foreign.approvalId);
    expect(await listed({ tenant: 'nobody' })).toEqual([]);
    await expect(store.listGates({ limit: -1 })).rejects.toThrow('limit');
  });

  test('a list goes on after a gate, also one that was decided meanwhile; after one that is not there it is empty', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push((await store.createGate(newGate(key))).approvalId);
    const page = async (after?: string) =>
      (await store.listGates({ status: 'open', limit: 2, ...(after === undefined ? {} : { after: after as never }) })).map(({ approvalId }) => approvalId);
    const first = await page();
    expect(first).toEqual(ids.slice(0, 2));
    await store.closeGate(key, first.at(-1) as never, 'withdrawn');
    expect(await page(first.at(-1))).toEqual(ids.slice(2, 4));
    expect(await page(ids.at(-1))).toEqual([]);
    expect(await page('no-such-gate')).toEqual([]);
  });

  test('a decision is applied to the row as it is, on the clock of the store, and audited with it', async () => {
    const { store, clock } = subject();
    const gate = await store.createGate(newGate(await startRun(store)));
    const answer = await store.decideGate(
      gate.runKey,
      gate.approvalId,
      (row, nowMs) => accept(row, { status: 'approved', votes: [newVote({ atMs: nowMs })], decidedAtMs: nowMs }),
      auditOf(gate),
    );
    expect(answer).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await store.getGate(gate.runKey, gate.approvalId)).toMatchObject({
      status: 'approved',
      decidedAtMs: clock.nowMs,
      votes: [{ approver: 'bob', atMs: clock.nowMs }],
    });
    expect(await auditNotes(store, gate.runKey)).toMatchObject([{ type: 'decision.accepted', actor: 'bob', atMs: clock.nowMs, data: { message: 'ok' } }]);
  });

  test('a refused decision is audited and changes nothing; a rule or an audit that throws leaves no trace', async () => {
    const { store } = subject();
    const gate = await store.createGate(newGate(await startRun(store)));
    const refusal: DecisionAnswer = { type: 'refused', reason: 'wrongRole', gateStatus: 'open', message: 'no' };
    await store.decideGate(gate.runKey, gate.approvalId, () => ({ gate: null, answer: refusal }), auditOf(gate));
    const broken = () => {
      throw new Error('broken');
    };
    await expect(store.decideGate(gate.runKey, gate.approvalId, broken, auditOf(gate))).rejects.toThrow('broken');
    await expect(store.decideGate(gate.runKey, gate.approvalId, (row) => accept(row, { status: 'approved' }), broken)).rejects.toThrow('broken');
    expect(await store.getGate(gate.runKey, gate.approvalId)).toEqual(gate);
    expect((await auditNotes(store, gate.runKey)).map(({ type }) => type)).toEqual(['decision.refused']);
  });

  test('an open gate expires by the clock of the store, not before', async () => {
    const { store, clock } = subject();
    const gate = await store.createGate(newGate(await startRun(store)));
    clock.nowMs = gate.expiresAtMs - 1;
    expect(await store.closeGate(gate.runKey, gate.approvalId, 'expired')).toBe('open');
    clock.nowMs += 1;
    expect(await store.closeGate(gate.runKey, gate.approvalId, 'expired')).toBe('expired');
    expect(await store.closeGate(gate.runKey, gate.approvalId, 'withdrawn')).toBe('expired');
  });

  test('an approved gate does not expire, and can be withdrawn', async () => {
    const { store, clock } = subject();
    const gate = await store.createGate(approvedGate(await startRun(store)));
    clock.nowMs = gate.expiresAtMs + 1;
    expect(await store.closeGate(gate.runKey, gate.approvalId, 'expired')).toBe('approved');
    expect(await store.closeGate(gate.runKey, gate.approvalId, 'superseded')).toBe('superseded');
  });

  test('gates left over from a reset are withdrawn, those that live and those that ended are not', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const [live, left, used] = [
      await store.createGate(newGate(key)),
      await store.createGate(approvedGate(key)),
      await store.createGate(newGate(key, { status: 'consumed' })),
    ];
    expect(await store.withdrawGatesExcept(key, [live.approvalId])).toEqual([left.approvalId]);
    expect((await store.listGates({ runKey: key, limit: 9 })).map(({ status }) => status)).toEqual(['open', 'withdrawn', 'consumed']);
    expect(used.status).toBe('consumed');
  });

  test('an approved budget gate raises the limit of its run once, however often it is asked', async () => {
    const { store, another } = subject();
    const key = await startRun(store);
    const gate = await store.createGate(approvedGate(key, { kind: 'budget', tool: 'tollgate.raiseBudget' }));
    const second = await another();
    const raised = await Promise.all([store, second, store].map((one) => one.raiseLimit(key, gate.approvalId, { nanoUsd: usd(500), tokens: 0 }, byTheRule)));
    expect(raised.map(({ type }) => type)).toEqual(['raised', 'raised', 'raised']);
    expect(await store.getLedger(key)).toMatchObject({ limitNanoUsd: 1_500 });
    expect(await store.getRun(key)).toMatchObject({ limitNanoUsd: 1_500 });
    expect((await store.getGate(key, gate.approvalId))?.status).toBe('consumed');
    await second.close();
  });

  test('a limit is raised neither by a gate that is not approved, nor by one of another kind, nor by an impossible amount', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const open = await store.createGate(newGate(key, { kind: 'budget' }));
    expect(await store.raiseLimit(key, open.approvalId, { nanoUsd: usd(500), tokens: 0 }, byTheRule)).toMatchObject({ type: 'refused', gateStatus: 'open' });
    const action = await store.createGate(approvedGate(key));
    await expect(store.raiseLimit(key, action.approvalId, { nanoUsd: usd(500), tokens: 0 }, permitted)).rejects.toMatchObject({ type: 'invariantBroken' });
    const budget = await store.createGate(approvedGate(key, { kind: 'budget' }));
    for (const amount of [-1, 0.5, Number.NaN])
      await expect(store.raiseLimit(key, budget.approvalId, { nanoUsd: usd(amount), tokens: 0 }, permitted)).rejects.toMatchObject({ type: 'invariantBroken' });
    expect((await store.getGate(key, budget.approvalId))?.status).toBe('approved');
    expect(await store.getLedger(key)).toMatchObject({ limitNanoUsd: 1_000 });
  });

  test('the audit is read in the order it was written, of everything and by run', async () => {
    const { store } = subject();
    const key = await startRun(store);
    for (const type of ['a', 'b', 'c']) await store.appendAudit({ type, runKey: type === 'b' ? null : key, actor: 'x', data: [type, null, { deep: true }] });
    const all = await auditNotes(store);
    expect(all.map(({ type, runKey: of, data }) => [type, of, data])).toEqual([
      ['a', key, ['a', null, { deep: true }]],
      ['b', null, ['b', null, { deep: true }]],
      ['c', key, ['c', null, { deep: true }]],
    ]);
    expect((await auditNotes(store, key)).map(({ type }) => type)).toEqual(['a', 'c']);
  });

  test('when a store was last restored is known from its audit', async () => {
    const { store, clock } = subject();
    expect(await store.lastRestoredAtMs()).toBeNull();
    await store.appendAudit({ type: 'store.restored', runKey: null, actor: 'tollgate', data: {} });
    clock.nowMs += 5;
    await store.appendAudit({ type: 'store.restored', runKey: null, actor: 'tollgate', data: {} });
    expect(await store.lastRestoredAtMs()).toBe(clock.nowMs);
  });

  test('the clock of the store is the one that decides', async () => {
    const { store, clock } = subject();
    clock.nowMs += 7;
    expect(await store.nowMs()).toBe(clock.nowMs);
  });
}
