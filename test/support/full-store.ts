import { randomUUID } from 'node:crypto';
import type { ApprovalId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { newDelegation, newStanding, newStop, useOnce } from './store-contract/grant-contract.ts';
import { approvedGate, END, newGate, newToolCall, permitted, reply, reserve, startRun, usd } from './store-contract/fixtures.ts';

export interface FilledStore {
  readonly parent: RunKey;
  readonly child: RunKey;
  readonly approvalId: ApprovalId;
}

/** Writes something into every table, with every odd character that a text may hold. */
export async function fillStore(store: Store): Promise<FilledStore> {
  await store.registerSinks(['otlp'], 1_000_000);
  const parent = await startRun(store, { limitNanoUsd: usd(Number.MAX_SAFE_INTEGER), limitTokens: 1_000_000, tenant: 'Grüße 👋' });
  const child = await startRun(store, { parentRunKeys: [parent] });
  await store.setQuota({ tenant: '*', feature: null, per: 'month', unit: 'tokens', limit: 100_000 }, 'command');
  await store.changeBreaker({ endpoint: 'gateway', model: 'gpt-5-mini' }, () => ({ status: 'open', openedAtMs: 1, openForMs: 2, reason: 'timeout' }));
  await store.putContent(ODD_TEXT);
  await store.putNode(child, 'input', { role: 'user', text: ODD_TEXT });
  const attemptId = await reserve(store, child, { head: { attemptId: null, nodeIds: ['input'] } });
  await store.reportAttempt(child, attemptId, { outcome: { type: 'reply' }, reply: reply(ODD_TEXT), money: { type: 'settle', costNanoUsd: usd(130) } });
  const held = await reserve(store, child, { step: 2 });
  await store.noteLookup(child, held, 'still running', (looks, nowMs) => nowMs + looks);
  const skip = {
    runKey: child,
    attemptId: randomUUID() as AttemptId,
    step: 3,
    ordinal: 1,
    model: 'gpt-5-mini',
    reason: 'breakerOpen',
    // In our own words, which have no NUL.
    message: ODD_TEXT.replaceAll('\0', ''),
  } as const;
  await store.recordSkip(skip);
  const gate = await store.createGate(approvedGate(child));
  await store.createGate(newGate(parent));
  const call = { ...newToolCall(child, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
  await store.consumeApproval(call, permitted);
  await store.finishToolCall(child, call.callKey, { status: 'done', result: { text: ODD_TEXT }, isError: false });
  await store.appendAudit({ type: 'note', runKey: null, actor: 'alice', data: ODD_TEXT });
  await store.endSession('session', 2_000_000_000_000);
  await store.putApiKey({ keyId: randomUUID(), name: 'shop', scopes: ['read'], roles: [], tenant: null, secretDigest: randomUUID() });
  await store.putKey({ keyId: 'aaaaaaaaaaaaaaaa', kind: 'tenant', tenant: 'Grüße 👋', name: '', version: 1, wrapped: 'file:x' });
  await store.recordRedaction(child, {
    entries: [{ token: '⟦email:1⟧', type: 'email', valueHash: 'ab'.repeat(32), sealed: 'sealed:1:x' }],
    counts: [{ place: 'input', type: 'email', action: 'tokenise', count: 2 }],
  });
  const standing = newStanding();
  await store.createStanding(standing, 'alice');
  await useOnce(store, child, standing.standingId);
  await store.createDelegation({ delegation: newDelegation(), signed: 'body.signature' });
  await store.throwStop(newStop({ tool: 'refund', task: null, tenant: null }));
  await store.revoke({ of: standing.standingId, signed: 'body.signature', actor: 'alice', reason: ODD_TEXT.replaceAll('\0', ''), atMs: 1 });
  await store.putFeedback({
    runKey: child,
    feedbackId: 'f1',
    step: 1,
    scorePerMille: -250,
    label: 'slow',
    comment: ODD_TEXT.replaceAll('\0', ''),
    actor: 'alice',
  });
  await store.makeRepair(
    { runKey: child, repairId: 'repair-1', repair: { type: 'pause' }, actor: 'olga', reason: ODD_TEXT.replaceAll('\0', ''), isUnverified: false },
    { type: 'pause' },
    () => ({ type: 'permitted' }),
    { type: 'repair.pause', runKey: child, actor: 'olga', data: { repairId: 'repair-1' } },
  );
  await store.endRun(parent, END, 0);
  return { parent, child, approvalId: gate.approvalId };
}

/** A NUL, line ends of every kind, quotes, both normal forms of a letter, a surrogate pair. */
const ODD_TEXT = 'a\u0000b\r\n\u2028\u2029 "\\" \u00e9 e\u0301 \ud83d\udc4b';

/** Everything that the port shows of a filled store. */
export async function lookAt(store: Store, { parent, child, approvalId }: FilledStore): Promise<unknown> {
  return {
    runs: await store.listRuns({ limit: 100 }),
    ledgers: [await store.getLedger(parent), await store.getLedger(child)],
    attempts: [await store.listAttempts(parent), await store.listAttempts(child)],
    tokens: [await store.getTokenLedger(parent), await store.listSkips(child), await store.listBreakers()],
    quotas: [await store.listQuotas(), await store.listQuotaWindows({ quotaId: (await store.listQuotas())[0]?.quotaId ?? null, limit: 10 })],
    calls: await store.listToolCalls(child),
    gates: [await store.listGates({ limit: 100 }), await store.getGate(child, approvalId)],
    transcript: await store.loadTranscript(child, { attemptId: (await store.listAttempts(child))[0]?.attemptId ?? null, nodeIds: [] }),
    // A restore says so; all that was there before is as it was.
    audit: (await store.listAudit({ limit: 100 })).filter(({ type }) => type !== 'store.restored'),
    keys: await store.listApiKeys(100),
    wrapped: await store.listTenantKeys({ limit: 100 }),
    held: await store.listHeld({ limit: 100 }),
    money: await store.openMoney(),
    bounds: await store.listBoundFactors(100),
    vault: await store.listVault(child),
    feedback: await store.listFeedback(child),
    redactions: await store.countRedactions({ runKey: child }),
    grants: [await store.listStandings({ limit: 100 }), await store.listDelegations({ limit: 100 }), await store.listStops(100)],
  };
}
