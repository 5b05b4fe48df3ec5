import { expect, test } from 'vitest';
import { renderApprovals } from '../../client/cli/approval-commands.ts';
import { renderGate, renderRun } from '../../client/cli/run-view.ts';
import { inline, shorten, visible } from '../../client/cli/text.ts';
import { reportGate } from '../../client/gate-report.ts';
import { openApiFixture } from '../support/http-api.ts';
import { newGate, startRun } from '../support/store-contract/fixtures.ts';
import { waitingRun } from '../client/run-samples.ts';

/** Clears a terminal and writes a harmless action in place of the real one; turns text round; hides it. */
const SCREEN = '\u001b[2J\u001b[Hwaits look \u009b2K \u202egnp.txt\u202c a\u200bb \r\b';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const DRAWS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e]/;
const plain = { columns: 120, style: (_: unknown, text: string) => text };

test('whatever a model or a tool writes, an approver at a terminal sees it and is not drawn over', async () => {
  for (const text of [visible(SCREEN), shorten(SCREEN, 500), inline({ [SCREEN]: SCREEN }, 500)]) expect(text).not.toMatch(DRAWS);
  const gate = reportGate({
    ...newGate({ agentRunId: 'a', firstExecutionRunId: 'b' } as never),
    arguments: { [SCREEN]: SCREEN },
    reason: SCREEN,
    destination: SCREEN,
    requester: SCREEN,
  });
  const report = { ...waitingRun(), gates: [gate], output: SCREEN, message: SCREEN };
  for (const lines of [renderGate(gate, plain), renderApprovals([gate]), renderRun(report, { ...plain, maxSteps: 9 })])
    for (const line of lines) expect(line).not.toMatch(DRAWS);
  expect(visible('two\nlines, ünï©ode and 日本語')).toBe('two\nlines, ünï©ode and 日本語');
});

test('a script in the arguments of an action leaves the API as JSON that no browser runs', async () => {
  const api = await openApiFixture();
  try {
    const script = '<script>fetch("/v1/approvals")</script><img src=x onerror=alert(1)>';
    const gate = await api.store.createGate({ ...newGate(await startRun(api.store)), arguments: { to: script }, reason: script });
    const response = await api.app.inject({ url: `/v1/approvals/${gate.approvalId}` });
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    expect(response.headers['content-security-policy']).toContain("default-src 'none'");
    expect(response.json()).toMatchObject({ arguments: { to: script } });
  } finally {
    await api.close();
  }
});
