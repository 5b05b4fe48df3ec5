import type { RunReport } from '../run-report.ts';
import { budgetLine, describeAttempts, renderGate } from './run-view.ts';

const plain = (_name: string, text: string): string => text;

/** What happened between two looks at a run, as lines for a log. `before` is null at the first look. */
export function runChanges(before: RunReport | null, after: RunReport): string[] {
  return [
    ...(before?.status === after.status ? [] : [`${after.agentRunId} · ${after.task} · ${after.status}${after.simulated ? ' · SIMULATED provider' : ''}`]),
    ...childChanges(before, after),
    ...stepChanges(before, after),
    ...(before && before.ledger.settledUsd === after.ledger.settledUsd && before.ledger.heldUsd === after.ledger.heldUsd ? [] : [budgetLine(after)]),
    ...gateChanges(before, after),
    ...(after.message && after.message !== before?.message ? [`ended   ${after.message}`] : []),
  ];
}

function childChanges(before: RunReport | null, after: RunReport): string[] {
  return (after.children ?? []).flatMap(({ agentRunId, task, status }) => {
    const known = before?.children?.find((child) => child.agentRunId === agentRunId);
    return known?.status === status ? [] : [`child   ${agentRunId} · ${task} · ${status}`];
  });
}

function stepChanges(before: RunReport | null, after: RunReport): string[] {
  return after.steps.flatMap((step) => {
    const known = before?.steps.find((candidate) => candidate.step === step.step);
    const attempts = describeAttempts(step);
    const head = known && describeAttempts(known) === attempts ? [] : [`step ${String(step.step).padEnd(3)}${attempts}`];
    const calls = step.toolCalls.flatMap((call, index) =>
      known?.toolCalls[index]?.status === call.status ? [] : [`        ${call.tool} ${call.isError ? 'error' : call.status}`],
    );
    return [...head, ...calls];
  });
}

function gateChanges(before: RunReport | null, after: RunReport): string[] {
  return after.gates.flatMap((gate) => {
    const known = before?.gates.find((candidate) => candidate.approvalId === gate.approvalId);
    if (known?.status === gate.status && known.approvals === gate.approvals) return [];
    if (gate.status === 'open') return renderGate(gate, { columns: 1_000, style: plain });
    return [`gate    ${gate.tool} ${gate.status}${gate.votes.map((vote) => ` · ${vote.verdict} by ${vote.approver}`).join('')}`];
  });
}
