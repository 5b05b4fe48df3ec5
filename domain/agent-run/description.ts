import type { AgentRunInput, OpenGate, RunStatusView } from '../../contracts/agent-run.ts';
import type { PauseView } from '../../contracts/repair.ts';
import { formatUsd } from '../budget/price.ts';

/** The page that an operator sees in the Temporal UI: what the run is doing, what it costs, what it waits for. */
export function describeRun(view: RunStatusView): string {
  const { ledger } = view;
  const lines = [
    `**${view.status}** · ${view.task} · step ${view.step} of at most ${view.maxSteps}${view.model ? ` · ${view.model}` : ''}`,
    ...(view.paused ? ['', describePause(view.paused)] : []),
    ...(view.preferredModel ? ['', `An operator has **${view.preferredModel}** asked first.`] : []),
    '',
    '| budget | settled | held | written off |',
    '|---|---|---|---|',
    `| ${formatUsd(ledger.limitNanoUsd)} USD | ${formatUsd(ledger.settledNanoUsd)} | ${formatUsd(ledger.heldNanoUsd)} | ${formatUsd(ledger.writtenOffNanoUsd)} |`,
    ...(ledger.overrunNanoUsd > 0 ? ['', `**Overrun:** a provider charged ${formatUsd(ledger.overrunNanoUsd)} USD beyond what was reserved.`] : []),
    ...view.gates.filter((gate) => gate.status === 'open').flatMap(describeGate),
  ];
  return lines.join('\n');
}

function describePause({ by, reason, sinceMs }: PauseView): string {
  return `**Paused** by ${by.replace(/[`*_]/g, '')} since ${new Date(sinceMs).toISOString()}: ${reason.replace(/[`*_<>\n]/g, ' ')}`;
}

function describeGate(gate: OpenGate): string[] {
  return [
    '',
    `**Waits for approval** of \`${gate.tool}\` (${gate.kind}) until ${new Date(gate.expiresAtMs).toISOString()}`,
    '',
    // Inline code: the Temporal UI shows a code block white on white.
    `- Approve: \`npx tollgate approve ${gate.approvalId} --digest ${gate.actionDigest}\``,
    `- Deny: \`npx tollgate deny ${gate.approvalId} --reason WHY\``,
  ];
}

type AttributePair =
  | { readonly key: { readonly name: string; readonly type: 'KEYWORD' }; readonly value: string }
  | { readonly key: { readonly name: string; readonly type: 'BOOL' }; readonly value: boolean }
  | { readonly key: { readonly name: string; readonly type: 'DOUBLE' }; readonly value: number };

/** What changes in a run, as search attributes. The names stand in contracts/temporal.ts too; a test compares them. */
export function searchAttributeValues(view: RunStatusView): AttributePair[] {
  const usd = (nanoUsd: number) => Number(formatUsd(nanoUsd));
  return [
    { key: { name: 'TollgateStatus', type: 'KEYWORD' }, value: view.status },
    { key: { name: 'TollgateAwaitingApproval', type: 'BOOL' }, value: view.status === 'awaitingApproval' },
    { key: { name: 'TollgateSpendUsd', type: 'DOUBLE' }, value: usd(view.ledger.settledNanoUsd + view.ledger.heldNanoUsd) },
    { key: { name: 'TollgateBudgetUsd', type: 'DOUBLE' }, value: usd(view.ledger.limitNanoUsd) },
    ...(view.model ? [{ key: { name: 'TollgateModel', type: 'KEYWORD' } as const, value: view.model }] : []),
  ];
}

/**
 * The search attributes of a child run: those that its parent has (the namespace may lack others), with the child's values.
 * Every one that the child is to update later must be there from its start.
 */
export function childSearchAttributes<Pair extends { readonly key: { readonly name: string } }>(
  ofParent: readonly Pair[],
  { task, tenant, feature, budgetLimitNanoUsd = 0 }: AgentRunInput,
): Pair[] {
  const values: Readonly<Record<string, string | number | boolean>> = {
    TollgateTask: task.name,
    TollgateTenant: tenant,
    TollgateFeature: feature,
    TollgateStatus: 'running',
    TollgateAwaitingApproval: false,
    TollgateSpendUsd: 0,
    TollgateBudgetUsd: Number(formatUsd(budgetLimitNanoUsd)),
    TollgateModel: '-',
    TollgatePromptVersion: '-',
  };
  return ofParent.flatMap((pair) => {
    const value = values[pair.key.name];
    return value === undefined ? [] : [{ ...pair, value }];
  });
}
