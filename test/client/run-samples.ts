import type { RunReport } from '../../client/run-report.ts';

/** A run that waits at its gate, for tests of what people see. */
export function waitingRun(): RunReport {
  return {
    agentRunId: 'sample-refund',
    firstExecutionRunId: 'first',
    task: 'customer-support',
    tenant: 'northwind',
    feature: 'support',
    requester: 'developer',
    status: 'awaitingApproval',
    startedAt: '2026-11-23T10:00:00.000Z',
    endedAt: null,
    ledger: { limitUsd: '0.25', settledUsd: '0.05', heldUsd: '0.01', writtenOffUsd: '0.00', overrunUsd: '0.00' },
    output: null,
    message: null,
    failureType: null,
    models: ['gpt-5-mini', 'gpt-5-nano'],
    simulated: true,
    steps: [
      {
        step: 1,
        attempts: [
          { attemptId: 'a1', model: 'gpt-5-mini', outcome: 'rateLimited' },
          { attemptId: 'a2', model: 'gpt-5-nano', outcome: 'ok' },
        ],
        text: null,
        toolCalls: [{ tool: 'find_order', effect: 'read', status: 'done', arguments: { orderId: 'W-1042' }, isError: false, result: {} }],
      },
      {
        step: 2,
        attempts: [{ attemptId: 'a3', model: 'gpt-5-mini', outcome: 'ok' }],
        text: null,
        toolCalls: [
          {
            tool: 'refund_order',
            effect: 'irreversible',
            status: 'awaitingApproval',
            arguments: { orderId: 'W-1042', amountCents: 32_900 },
            approvalId: 'gate-1',
          },
        ],
      },
    ],
    attempts: [
      attempt('a1', 1, 'gpt-5-mini', 'rateLimited', '0.00'),
      attempt('a2', 1, 'gpt-5-nano', 'ok', '0.02'),
      attempt('a3', 2, 'gpt-5-mini', 'ok', '0.03'),
    ],
    gates: [
      {
        approvalId: 'gate-1',
        agentRunId: 'sample-refund',
        kind: 'action',
        tool: 'refund_order',
        toolVersion: '1',
        destination: 'Northwind payments',
        arguments: { orderId: 'W-1042', amountCents: 32_900 },
        actionDigest: 'd'.repeat(64),
        status: 'open',
        role: 'support-lead',
        approvers: 1,
        approvals: 0,
        occurrence: 0,
        reason: 'The model asks for it.',
        requester: 'developer',
        createdAt: '2026-11-23T10:00:05.000Z',
        expiresAt: '2026-11-24T10:00:05.000Z',
        decidedAt: null,
        votes: [],
        approveCommand: `npx tollgate approve gate-1 --digest ${'d'.repeat(64)}`,
      },
    ],
  };
}

function attempt(attemptId: string, step: number, model: string, outcome: string, costUsd: string) {
  return {
    attemptId,
    step,
    model,
    provider: 'simulated',
    outcome,
    costUsd,
    heldUsd: '0.00',
    startedAt: '2026-11-23T10:00:01.000Z',
    endedAt: '2026-11-23T10:00:02.000Z',
  };
}
