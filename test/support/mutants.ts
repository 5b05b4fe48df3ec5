/** A safeguard, the code without it, and the tests of which at least one must then fail. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly safeguard: string;
  readonly without: string;
  readonly tests: readonly string[];
}

const PROCESSES = 'test/adapters/sqlite-store-processes.test.ts';
const LATE = 'test/activities/late-sender.test.ts';
const DECISIONS = 'test/workflows/decisions.test.ts';
const OWN_WORKFLOWS = 'test/workflows/own-workflows.test.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the lock of a reservation',
    file: 'adapters/stores/sqlite/ledger-store.ts',
    safeguard: 'reserveAttempt: async (attempt) => db.write(() => reserve(db, attempt)),',
    without: 'reserveAttempt: async (attempt) => reserve(db, attempt),',
    tests: [PROCESSES],
  },
  {
    name: 'the lock of consuming an approval',
    file: 'adapters/stores/sqlite/tool-call-store.ts',
    safeguard: 'consumeApproval: async (call, rule) => db.write(() => consume(db, call, rule)),',
    without: 'consumeApproval: async (call, rule) => consume(db, call, rule),',
    tests: [PROCESSES],
  },
  {
    name: 'the limit of a reservation',
    file: 'domain/budget/ledger.ts',
    safeguard: 'return amountNanoUsd + setAsideNanoUsd <= remainingNanoUsd(totals);',
    without: 'return amountNanoUsd + setAsideNanoUsd >= 0 || remainingNanoUsd(totals) > 0;',
    tests: ['test/domain/ledger.test.ts', 'test/adapters/sqlite-store.test.ts'],
  },
  {
    name: 'the check of the approval in executeTool',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'permits(row, provenVotes(ports, row, digest), nowMs),',
    without: "({ type: 'permitted' }),",
    tests: [LATE, DECISIONS],
  },
  {
    name: 'the proof of the votes in executeTool',
    file: 'activities/approval/gated-action.ts',
    safeguard: 'const decision = verifier.verify(vote.signedDecision);',
    without: 'const decision = { ...gate.runKey, approvalId: gate.approvalId, actionDigest: digest, ...vote } as ReturnType<typeof verifier.verify>;',
    tests: [DECISIONS],
  },
  {
    name: 'the digest recomputed in executeTool',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'const isShown = digest === gate.actionDigest;',
    without: 'const isShown = true;',
    tests: [LATE],
  },
  {
    name: 'the demand for an approval in executeTool',
    file: 'activities/tool/execute-tool.ts',
    safeguard: 'if (!isIrreversible) return executeRepeatable(ports, input, snapshot, call, run.tenant);',
    without: 'if (!isIrreversible || true) return executeRepeatable(ports, input, snapshot, call, run.tenant);',
    tests: [LATE, DECISIONS],
  },
  {
    name: 'the dispatch deadline of an action',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'const isLate = (await ports.store.nowMs()) > intent.dispatchDeadlineMs || context.signal.aborted;',
    without: 'const isLate = false;',
    tests: [LATE],
  },
  {
    name: 'the dispatch deadline of a model call',
    file: 'activities/model/send-attempt.ts',
    safeguard: 'if ((await store.nowMs()) > attempt.dispatchDeadlineMs || cancelled.aborted) {',
    without: 'if (cancelled.aborted) {',
    tests: [LATE],
  },
  {
    name: 'the hold of money whose outcome is not known',
    file: 'activities/model/send-attempt.ts',
    safeguard: "if (verdict.billed !== 'no') return {};",
    without: "if (verdict.billed !== 'no') return { money: { type: 'release' } };",
    tests: ['test/workflows/agent-run.test.ts'],
  },
  {
    name: 'the proof of an approval before an intent is dispatched again',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'isApproved ? 1 : 0',
    without: '1',
    tests: [OWN_WORKFLOWS],
  },
  {
    name: 'the one vote that every action needs',
    file: 'domain/approval/gate.ts',
    safeguard: 'needed: Math.max(1, gate.policy.approvers)',
    without: 'needed: gate.policy.approvers',
    tests: ['test/domain/gate.test.ts'],
  },
  {
    name: 'the budgets above the parent of a child',
    file: 'activities/agent-run/pin-task.ts',
    safeguard: 'return [parent, ...parentRunKeys];',
    without: 'return [parent];',
    tests: [OWN_WORKFLOWS],
  },
  {
    name: 'the cancellation of children with their parent',
    file: 'workflows/agent-run/child-agents.ts',
    safeguard: 'parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,',
    without: 'parentClosePolicy: ParentClosePolicy.ABANDON,',
    tests: [OWN_WORKFLOWS],
  },
];
