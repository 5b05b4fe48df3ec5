import { expect, test } from 'vitest';
import { renderApprovals } from '../../client/cli/approval-commands.ts';
import { runChanges } from '../../client/cli/run-changes.ts';
import { budgetLine, renderRun } from '../../client/cli/run-view.ts';
import { bar, columns, inline, shorten } from '../../client/cli/text.ts';
import { waitingRun } from './run-samples.ts';

const options = { columns: 120, style: (_name: string, text: string) => text, maxSteps: 50 };

test('a run shows its fallbacks, its cost, its budget and the exact command it waits for', () => {
  const text = renderRun(waitingRun(), options).join('\n');
  expect(text).toContain('sample-refund · customer-support · awaitingApproval');
  expect(text).toContain('SIMULATED provider');
  expect(text).toContain('step 1  gpt-5-mini rateLimited → gpt-5-nano ok  0.02 USD');
  expect(text).toContain('find_order {"orderId":"W-1042"} done');
  expect(text).toContain('refund_order → Northwind payments');
  expect(text).toContain('amountCents: 32900');
  expect(text).toContain(`npx tollgate approve gate-1 --digest ${'d'.repeat(64)}`);
});

test('the command is never cut, however narrow the terminal is', () => {
  expect(renderRun(waitingRun(), { ...options, columns: 40 }).join('\n')).toContain(`--digest ${'d'.repeat(64)}`);
});

test('a run of a real provider is not called simulated', () => {
  expect(renderRun({ ...waitingRun(), simulated: false }, options).join('\n')).not.toContain('SIMULATED');
});

test('a gate shows who looks at it, and what the agent was asked and answered, drawn over by nothing', () => {
  const run = waitingRun();
  const [gate] = run.gates;
  const asked = { questionId: 'q', by: 'key:bob', text: 'why?', at: '', actionDigest: 'd'.repeat(64) };
  const answer = { type: 'answered', text: 'because\u001b[2J', model: 'm', at: '' } as const;
  const questions = [
    { ...asked, answer },
    { ...asked, text: 'and?' },
  ];
  const claim = { by: 'key:alice', displayName: 'Alice', until: '2026-01-01T00:00:00.000Z' };
  const text = renderRun({ ...run, gates: gate ? [{ ...gate, questions, claim }] : [] }, options).join('\n');
  for (const words of ['key:bob asked: why?', 'The agent: because\\u001b[2J', 'and?', 'No answer yet.', 'Alice is looking at it until 2026'])
    expect(text).toContain(words);
});

test('an action that was done before says so', () => {
  const run = waitingRun();
  const [gate] = run.gates;
  const again = { ...run, gates: gate ? [{ ...gate, occurrence: 1 }] : [] };
  expect(renderRun(again, options).join('\n')).toContain('has done exactly this once before');
});

test('long runs show their last steps', () => {
  const lines = renderRun(waitingRun(), { ...options, maxSteps: 1 }).join('\n');
  expect(lines).toContain('… 1 earlier steps');
  expect(lines).not.toContain('step 1 ');
});

test('the bar shows what is settled, held and free', () => {
  expect(bar(50, 25, 100, 8)).toBe('[████▒▒░░]');
  expect(bar(0, 0, 0, 4)).toBe('[░░░░]');
  expect(bar(200, 50, 100, 4)).toBe('[████]');
  expect(bar(0, 1, 1_000, 10)).toBe('[▒░░░░░░░░░]');
  expect(budgetLine(waitingRun())).toContain('0.05 of 0.25 USD settled · 0.01 held');
});

test('the first look prints everything, the same look again prints nothing', () => {
  const run = waitingRun();
  expect(runChanges(null, run).length).toBeGreaterThan(5);
  expect(runChanges(run, run)).toEqual([]);
});

test('a decision shows as a change, with who decided', () => {
  const before = waitingRun();
  const [gate] = before.gates;
  if (!gate) throw new Error('the sample has a gate');
  const vote = { approver: 'alice', roles: ['support-lead'], verdict: 'approve', comment: null, unverified: false, at: '2026-11-23T10:01:00.000Z' };
  const after = { ...before, status: 'running', gates: [{ ...gate, status: 'approved', approvals: 1, votes: [vote] }] };
  expect(runChanges(before, after)).toEqual([
    'sample-refund · customer-support · running · SIMULATED provider',
    'gate    refund_order approved · approve by alice',
  ]);
});

test('the list of approvals has the exact command for each gate', () => {
  const lines = renderApprovals(waitingRun().gates);
  expect(lines[0]).toMatch(/^RUN +KIND +TOOL/);
  expect(lines.at(-1)).toBe(`npx tollgate approve gate-1 --digest ${'d'.repeat(64)}`);
  expect(renderApprovals([])).toEqual(['Nothing waits for approval.']);
});

test('columns are aligned and long values are cut with a mark', () => {
  expect(
    columns([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
  ).toEqual(['a    bb', 'ccc  d']);
  expect(shorten('abcdef', 4)).toBe('abc…');
  expect(inline({ a: 'x'.repeat(50) }, 10)).toHaveLength(10);
});
