import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { verifyAnchor } from '../../../adapters/keys/anchor-key.ts';
import { sha256 } from '../../../adapters/stores/audit-row.ts';
import { anchorAudit } from '../../../domain/audit/anchor.ts';
import { type AuditSelection, exportAudit } from '../../../domain/audit/export.ts';
import { AuditVerifier, type VerificationReport, type VerifyOptions } from '../../../domain/audit/verify.ts';
import { DATA_CLASSES } from '../../../domain/erasure/store-port.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { approvedGate, END, newToolCall, permitted, reply, reserve, startRun, usd } from './fixtures.ts';

export const UNSIGNED = { sign: () => ({ publicKey: 'none', signature: 'none' }) };

export async function exported(store: Store, selection: AuditSelection = {}): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  for await (const line of exportAudit(store, selection, 1)) lines.push(JSON.parse(JSON.stringify(line)) as Record<string, unknown>);
  return lines;
}

export function verified(lines: readonly unknown[], options: Partial<VerifyOptions> = {}): VerificationReport {
  const verifier = new AuditVerifier({ sha256, verifySignature: () => true, ...options });
  for (const line of lines) verifier.take(line);
  return verifier.finish();
}

export function describeAuditContract(subject: Subject): void {
  async function course(store: Store, tenant = 'acme') {
    const run = await startRun(store, { tenant });
    const attemptId = await reserve(store, run);
    await store.reportAttempt(run, attemptId, { outcome: { type: 'reply' }, reply: reply('hello'), money: { type: 'settle', costNanoUsd: usd(7) } });
    const gate = await store.createGate(approvedGate(run));
    const call = { ...newToolCall(run, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
    await store.consumeApproval(call, permitted);
    await store.finishToolCall(run, call.callKey, { status: 'done', result: { ok: true }, isError: false });
    await store.appendAudit({ type: 'note', runKey: run, actor: 'alice', data: { comment: 'yes \ud800', nested: [1, { b: null, a: 'x' }] } });
    await store.endRun(run, END, 1);
    return run;
  }

  test('the course of a run is audited where it happens, in a chain of its own', async () => {
    const { store } = subject();
    const run = await course(store);
    const audit = await store.listAudit({ runKey: run, limit: 100 });
    expect(audit.map(({ type }) => type)).toEqual(['run.started', 'attempt.ended', 'gate.opened', 'call.intent', 'call.outcome', 'note', 'run.ended']);
    expect(audit.map(({ link }) => link?.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(audit[0]).toMatchObject({ actor: 'alice', data: { tenant: 'acme', task: 'support', limitNanoUsd: 1_000 } });
    expect(audit[1]?.data).toMatchObject({ model: 'gpt-5-mini', outcome: 'reply', money: { status: 'settled', settledNanoUsd: 7 } });
    expect(audit[2]?.data).toMatchObject({ tool: 'refund', policy: { approvers: 1 } });
    expect(audit[6]?.data).toEqual({ status: 'completed', steps: 1 });
  });

  test('what is told twice is audited once', async () => {
    const { store } = subject();
    const run = await startRun(store);
    const attemptId = await reserve(store, run);
    const report = { outcome: { type: 'reply' }, reply: reply('hello'), money: { type: 'settle', costNanoUsd: usd(7) } } as const;
    await store.reportAttempt(run, attemptId, report);
    await store.reportAttempt(run, attemptId, report);
    await store.endRun(run, END, 1);
    await store.endRun(run, END, 1);
    expect((await store.listAudit({ runKey: run, limit: 100 })).map(({ type }) => type)).toEqual(['run.started', 'attempt.ended', 'run.ended']);
  });

  test('an export verifies: whole, of a run, of a tenant, of a period, with anchors and without', async () => {
    const { store, clock } = subject();
    const run = await course(store);
    await store.appendAudit({ type: 'quota.set', runKey: null, actor: 'op', data: { limit: 1 } });
    await store.appendAudit({ type: 'stop.thrown', runKey: null, tenant: 'globex', actor: 'op', data: {} });
    expect(verified(await exported(store))).toMatchObject({ isIntact: true, findings: [], rows: 9, chains: 3, anchors: 0 });
    expect(await anchorAudit(store, UNSIGNED, 5)).toMatchObject({ anchors: 1, heads: 3 });
    expect(await anchorAudit(store, UNSIGNED, 5)).toMatchObject({ anchors: 0, hash: null });
    clock.nowMs += 1_000;
    const second = await course(store, 'globex');
    await anchorAudit(store, UNSIGNED, 5);
    const whole = verified(await exported(store));
    expect(whole).toMatchObject({ isIntact: true, findings: [], chains: 5, anchors: 2, unproven: 0 });
    expect(verified(await exported(store, { runKey: run }))).toMatchObject({ isIntact: true, rows: 9, chains: 2 });
    const ofTenant = await exported(store, { tenant: 'globex' });
    expect(verified(ofTenant)).toMatchObject({ isIntact: true, rows: 10, chains: 3 });
    expect(JSON.stringify(ofTenant)).not.toContain(run.agentRunId);
    expect(verified(await exported(store, { fromMs: clock.nowMs }))).toMatchObject({ isIntact: true, rows: 8, chains: 2 });
    expect(verified(await exported(store, { toMs: clock.nowMs }))).toMatchObject({ isIntact: true, rows: 11 });
    expect(second).toBeDefined();
  });

  test('appends at once to one chain from two processes leave one chain without a gap', async () => {
    const { store, another } = subject();
    const run = await startRun(store);
    const second = await another();
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? store : second).appendAudit({ type: 'note', runKey: index % 4 < 3 ? run : null, actor: 'x', data: { index } }),
      ),
    );
    await second.close();
    expect(verified(await exported(store))).toMatchObject({ isIntact: true, findings: [], rows: 41, chains: 2 });
    expect((await store.listAudit({ runKey: run, limit: 100 })).map(({ link }) => link?.sequence)).toEqual(Array.from({ length: 31 }, (_, index) => index + 1));
  });

  test('two that anchor at once, and rows that come meanwhile, leave no chain out', async () => {
    const { store, another } = subject();
    const second = await another();
    const runs = await Promise.all(Array.from({ length: 8 }, () => startRun(store)));
    await Promise.all([
      anchorAudit(store, UNSIGNED, 3),
      ...runs.map((runKey) => store.appendAudit({ type: 'note', runKey, actor: 'x', data: {} })),
      anchorAudit(second, UNSIGNED, 3),
    ]);
    await anchorAudit(store, UNSIGNED, 3);
    await second.close();
    const lines = await exported(store);
    expect(verified(lines)).toMatchObject({ isIntact: true, findings: [] });
    for (const runKey of runs) {
      const cut = lines.filter((line) => !(line.chain === `run:${runKey.agentRunId}/${runKey.firstExecutionRunId}` && line.sequence === 2));
      expect(verified(withEnd(cut)).findings[0]).toMatchObject({ kind: 'removed', sequence: 2 });
    }
  });

  test('after an erasure the chain holds, its facts are there, and nothing of what was said', async () => {
    const { store } = subject();
    const run = await course(store);
    await anchorAudit(store, UNSIGNED, 5);
    await store.eraseRun(run, DATA_CLASSES);
    await store.eraseRun(run, DATA_CLASSES);
    const lines = await exported(store, { runKey: run });
    expect(verified(lines)).toMatchObject({ isIntact: true, findings: [], erased: 1 });
    expect(JSON.stringify(lines)).not.toContain('yes');
    expect(lines.find(({ type }) => type === 'note')).toMatchObject({ actor: 'alice', data: '[erased]', salt: null });
    expect(lines.find(({ type }) => type === 'attempt.ended')).toMatchObject({ data: { model: 'gpt-5-mini' } });
    expect(lines.filter(({ type }) => type === 'audit.erased')).toHaveLength(1);
    // Without the record of the erasure, missing contents are a finding.
    const unrecorded = withEnd(lines.filter(({ type }) => type !== 'audit.erased'));
    expect(verified(unrecorded).findings).toContainEqual(expect.objectContaining({ kind: 'notErased' }));
  });

  test('every single row that is changed, removed, moved, repeated or invented is found, and named', async () => {
    const { store } = subject();
    const run = await course(store);
    await course(store, 'globex');
    await store.appendAudit({ type: 'quota.set', runKey: null, actor: 'op', data: { limit: 1 } });
    const anchor = await anchorAudit(store, UNSIGNED, 5);
    const check = (tampered: readonly unknown[]) => verified(tampered, { expectedAnchor: anchor.hash ?? '' });
    const lines = await exported(store);
    expect(check(lines).isIntact).toBe(true);
    const rows = lines.flatMap((line, index) => (typeof line.chain === 'string' ? [index] : []));
    expect(rows.length).toBeGreaterThan(15);
    for (const index of rows) {
      const row = lines[index] ?? {};
      const others = {
        atMs: Number(row.atMs) + 1,
        sequence: Number(row.sequence) + 1,
        data: { other: true },
        salt: 'ff',
        hash: 'a'.repeat(64),
        previousHash: 'b'.repeat(64),
      };
      const changed = { ...others, type: `${row.type}x`, actor: 'mallory', dataDigest: `sha256:${'c'.repeat(64)}`, chain: `${row.chain}x` };
      for (const [field, value] of Object.entries(changed)) {
        const report = check(lines.map((line, at) => (at === index ? { ...line, [field]: value } : line)));
        expect(report.isIntact, `${row.type}: ${field}`).toBe(false);
        expect(
          report.findings.some(({ line, chain }) => line === index + 1 || line === index + 2 || chain === row.chain),
          `${row.type}: ${field}`,
        ).toBe(true);
      }
      const without = lines.filter((_, at) => at !== index);
      expect(check(withEnd(without)).isIntact, `${row.type} removed`).toBe(false);
      expect(check(withEnd(lines.flatMap((line, at) => (at === index ? [line, line] : [line])))).isIntact, `${row.type} repeated`).toBe(false);
      const next = lines[index + 1];
      const moved = lines.map((line, at) => (at === index && next ? next : at === index + 1 ? row : line));
      expect(check(moved).isIntact, `${row.type} moved`).toBe(false);
      expect(check(withEnd(lines.flatMap((line, at) => (at === index ? [{ ...row, actor: 'mallory' }, line] : [line])))).isIntact).toBe(false);
    }
    expect(run).toBeDefined();
  });

  test('a tail that was cut off is found by the anchor after it; so is a whole chain', async () => {
    const { store } = subject();
    const run = await course(store);
    const before = await anchorAudit(store, UNSIGNED, 5);
    const chain = `run:${run.agentRunId}/${run.firstExecutionRunId}`;
    const lines = await exported(store);
    const cut = withEnd(lines.filter((line) => line.chain !== chain || Number(line.sequence) < 5));
    expect(verified(cut).findings).toMatchObject([{ kind: 'removed', chain, sequence: 7, message: expect.stringContaining('tail') }]);
    const ofRun = await exported(store, { runKey: run });
    expect(verified(withEnd(ofRun.filter((line) => line.chain !== chain || Number(line.sequence) < 7))).findings).toMatchObject([
      { kind: 'removed', sequence: 7 },
    ]);
    expect(verified(withEnd(ofRun.filter((line) => line.chain !== chain))).findings).toMatchObject([{ kind: 'removed', chain }]);
    expect(verified(withEnd(lines.filter((line) => line.chain !== chain))).findings).toMatchObject([
      { kind: 'removed', message: expect.stringContaining('whole chain') },
    ]);
    // Whoever noted an anchor elsewhere also finds that the anchors were cut off.
    const bare = withEnd(lines.filter((line) => line.chain !== 'anchors'));
    expect(verified(bare).isIntact).toBe(true);
    expect(verified(bare, { expectedAnchor: before.hash ?? '' }).findings).toMatchObject([{ kind: 'removed', chain: 'anchors' }]);
    expect(verified(lines, { expectedAnchor: before.hash ?? '' }).isIntact).toBe(true);
    expect(verified(lines.slice(0, -1)).findings).toMatchObject([{ kind: 'cutShort' }]);
  });

  test('an anchor signed with another key, or changed with its hash, is found', async () => {
    const { store } = subject();
    await course(store);
    const { publicKey } = generateKeyPairSync('ed25519');
    const other = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    await anchorAudit(store, { sign: () => ({ publicKey: other, signature: 'AAAA' }) }, 5);
    const lines = await exported(store);
    expect(verified(lines, { verifySignature: verifyAnchor }).findings).toMatchObject([{ kind: 'badSignature', chain: 'anchors' }]);
    expect(verified(lines, { trustedKeys: ['mine'] }).findings).toMatchObject([{ kind: 'badSignature' }]);
    expect(verified(lines, { trustedKeys: [other] }).isIntact).toBe(true);
  });
}

/** With an end that says how many rows there are, as whoever tampers would write it. */
function withEnd(lines: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  const rows = lines.filter((line) => 'chain' in line || 'unchained' in line).length;
  return lines.map((line) => ('end' in line ? { end: { rows } } : line));
}
