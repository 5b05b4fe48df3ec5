import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { inEveryLook, violations } from '../support/inbox-looks.ts';
import { InboxStage, openPage, textOf } from '../support/inbox-stage.ts';
import { waitFor } from '../support/wait-for.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to see the gates of every kind with.');
const SEEN = { timeout: 30_000 };

describe.skipIf(!CHROMIUM)('gates of every kind, and what stands behind or before an action', () => {
  const stage = new InboxStage();
  let browser: Browser;
  beforeAll(async () => {
    await stage.openWithApi();
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS });
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await stage.close();
  }, 60_000);

  const shown = (page: Page) => () => textOf(page.locator('body'));
  const gateUrl = ({ approvalId }: GateRecord) => `${stage.url}/inbox/gates/${approvalId}`;
  const answer = async (page: Page, key: string) => {
    await page.keyboard.press(key);
    await page.locator('dialog').waitFor(SEEN);
    await page.keyboard.press('Enter');
  };

  test('an action in doubt asks whether it was done, and sends nothing again', async () => {
    const action = await stage.gateOf('plain', { id: 'wire', task: 'wires' });
    expect((await stage.decideAs('alice', action, { verdict: 'approve' })).status).toBe(200);
    const doubt = await waitFor('the gate of the doubt', async () => {
      const [gate] = await stage.store.listGates({ runKey: action.runKey, status: 'open', limit: 1 });
      return gate?.kind === 'inDoubt' && gate;
    });
    await inEveryLook(browser, gateUrl(doubt), { wait: 'nobody knows whether it happened', picture: 'in-doubt' });
    const { page } = await openPage(browser, gateUrl(doubt));
    for (const words of ['Was it done?', 'The bank cut the line.', 'It was not done', '€1,842.50']) await expect.poll(shown(page), SEEN).toContain(words);
    expect(await page.getByRole('button', { name: 'Change' }).count()).toBe(0);
    await answer(page, 'a');
    await expect.poll(shown(page), SEEN).toContain('Noted as done by developer');
    expect(await stage.ended('wire')).toBe('completed');
    expect((await stage.store.listToolCalls(action.runKey)).filter(({ tool }) => tool === 'pay_invoice').map(({ status }) => status)).toEqual(['done']);
    await page.close();
  });

  test('a run without money asks for more, and goes on within what it got', async () => {
    const gate = await stage.gateOf('plain', { id: 'poor', task: 'poor' });
    expect(gate.kind).toBe('budget');
    await inEveryLook(browser, gateUrl(gate), { wait: 'the limit of this run is raised by this amount', picture: 'budget' });
    const { page } = await openPage(browser, gateUrl(gate));
    await expect.poll(shown(page), SEEN).toContain('More budget for this run');
    await answer(page, 'a');
    await expect.poll(shown(page), SEEN).toContain('Budget raised by developer');
    expect((await stage.store.getLedger(gate.runKey))?.limitNanoUsd).toBeGreaterThan(1_000_000);
    const next = await waitFor('the gate of the action', async () => {
      const [open] = await stage.store.listGates({ runKey: gate.runKey, status: 'open', limit: 1 });
      return open?.kind === 'action' && open;
    });
    expect(next.tool).toBe('pay_invoice');
    await page.close();
  });

  test('where no model answers, a person’s words are the answer', async () => {
    const gate = await stage.gateOf('plain', { id: 'cut-off', task: 'cut-off' });
    expect(gate.kind).toBe('unavailable');
    await inEveryLook(browser, gateUrl(gate), { wait: 'The run can try its models again', picture: 'unavailable' });
    const { page } = await openPage(browser, gateUrl(gate));
    await page.getByRole('heading', { level: 1, name: 'Try again, or answer yourself' }).waitFor(SEEN);
    await page.keyboard.press('a');
    await page.getByLabel(/Your answer in the model’s place/).fill('Your invoice is being looked at.');
    expect(await violations(page)).toEqual([]);
    await page.locator('dialog').getByRole('button', { name: 'Try again or answer' }).click();
    await expect.poll(shown(page), SEEN).toContain('Passed on by developer');
    expect(await stage.ended('cut-off')).toBe('completed');
    await page.goto(`${stage.url}/inbox/runs/cut-off`);
    await expect.poll(shown(page), SEEN).toContain('Your invoice is being looked at.');
    await page.close();
  });

  test('a stop switch is seen with who threw it and why; an approval given meanwhile can be taken back', async () => {
    const { stopId } = await stage.post<{ stopId: string }>('/v1/stops', { task: 'invoices', reason: 'The bank has a fault.' });
    const gate = await stage.gateOf('plain', { id: 'stopped' });
    const { page } = await openPage(browser, gateUrl(gate));
    for (const words of ['Stopped.', 'developer stopped it', 'The bank has a fault.', 'You may decide']) await expect.poll(shown(page), SEEN).toContain(words);
    await inEveryLook(browser, gateUrl(gate), { wait: 'The bank has a fault.', picture: 'stopped' });
    await answer(page, 'a');
    await expect.poll(shown(page), SEEN).toContain('Approved by developer. It is stopped.');
    expect(await stage.gate(gate)).toMatchObject({ status: 'approved' });
    await page.keyboard.press('u');
    await expect.poll(shown(page), SEEN).toContain('0 of 1 approval');
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [] });
    await stage.post(`/v1/stops/${stopId}/resume`, { reason: 'mended' });
    await expect.poll(shown(page), SEEN).not.toContain('The bank has a fault.');
    await answer(page, 'a');
    expect(await stage.ended('stopped')).toBe('completed');
    expect((await stage.store.listToolCalls(gate.runKey)).filter(({ tool }) => tool === 'pay_invoice')).toHaveLength(1);
    await page.close();
  });

  test('a standing approval is named where nobody was asked, with what is left of it', async () => {
    await stage.post('/v1/standing-approvals', {
      tool: 'pay_invoice',
      tenant: 'acme',
      task: 'watched-invoices',
      conditions: [{ argument: 'amountCents', op: 'atMost', value: 50_000 }],
      free: ['invoiceId', 'to', 'currency'],
      maxUses: 5,
      total: { argument: 'amountCents', atMost: 100_000 },
      until: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await stage.begin('like-1', { id: 'granted', task: 'watched-invoices' });
    expect(await stage.ended('granted')).toBe('completed');
    const [gate] = await stage.store.listGates({ runKey: (await stage.run('granted')).runKey, limit: 1 });
    if (!gate) throw new Error('there is no gate');
    await inEveryLook(browser, gateUrl(gate), {
      wait: '1 of 5 times used',
      act: (page) => page.getByText('1 of 5 times used').scrollIntoViewIfNeeded(),
      picture: 'standing',
    });
    const { page } = await openPage(browser, gateUrl(gate));
    for (const words of ['Nobody was asked', '1 of 5 times used', '4,001 of 100,000 in all (amountCents)', 'Approved under a standing approval of developer'])
      await expect.poll(shown(page), SEEN).toContain(words);
    await page.close();
  });

  test('a rule that is only tried out is told, and binds nobody', async () => {
    const gate = await stage.gateOf('plain', { id: 'watched', task: 'watched-invoices' });
    const { page } = await openPage(browser, gateUrl(gate));
    await expect.poll(shown(page), SEEN).toContain('it would ask for 2 with the role lead and 1 with the role finance');
    await expect.poll(shown(page), SEEN).toContain('0 of 1 approval with the role lead');
    expect(await violations(page)).toEqual([]);
    await answer(page, 'a');
    expect(await stage.ended('watched')).toBe('completed');
    await page.close();
  });

  test('of many that are decided at once, each that was refused is told by itself', async () => {
    const gates = await Promise.all(['like-1', 'like-2', 'like-3'].map((payment) => stage.gateOf(payment, { id: `many-${payment}` })));
    const { page } = await openPage(browser, gateUrl(gates[0] as GateRecord));
    await expect.poll(() => page.locator('.row').count(), SEEN).toBeGreaterThanOrEqual(3);
    const sent: unknown[] = [];
    await page.route('**/v1/approvals/decide-batch', async (route) => {
      sent.push(route.request().postDataJSON());
      // Somebody else is faster with one of them.
      expect((await stage.decideAs('bob', gates[1] as GateRecord, { verdict: 'deny', reason: 'Paid already.' })).status).toBe(200);
      await route.continue();
    });
    await page.keyboard.press('X');
    await expect.poll(shown(page), SEEN).toContain('3 chosen');
    await answer(page, 'a');
    await expect.poll(() => textOf(page.locator('dialog')), SEEN).toContain('Approved: 2 of 3');
    await expect.poll(() => textOf(page.locator('dialog')), SEEN).toContain('€40.02');
    await expect.poll(() => textOf(page.locator('dialog')), SEEN).toContain('somebody else was faster');
    expect(await violations(page)).toEqual([]);
    const named = gates.map(({ approvalId, actionDigest }) => ({ approvalId, actionDigest }));
    expect(sent).toEqual([{ verdict: 'approve', decisions: expect.arrayContaining(named) }]);
    for (const gate of gates) expect(await stage.ended(gate.runKey.agentRunId)).toBe('completed');
    expect(await Promise.all(gates.map(async (gate) => (await stage.gate(gate)).status))).toEqual(['consumed', 'denied', 'consumed']);
    await page.close();
  });

  test('thirty steps are one picture and a row each; thumbs and words about the run are kept', async () => {
    await stage.begin('long', { id: 'long', task: 'long' });
    expect(await stage.ended('long')).toBe('completed');
    const address = `${stage.url}/inbox/runs/long`;
    await inEveryLook(browser, address, { wait: '30 steps in', picture: 'run-long' });
    const { page, complaints } = await openPage(browser, address);
    await expect.poll(shown(page), SEEN).toContain('30 model calls, 29 tool calls, 0 gates');
    expect(await page.locator('.timeline tbody tr').count()).toBe(59);
    await page.getByRole('button', { name: 'Bad' }).click();
    await page.getByLabel('Why (optional; kept with values masked)').fill('It looked up what it knew. Mail eve@example.com.');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Send' }).click();
    await expect.poll(shown(page), SEEN).toContain('Thank you');
    const kept = await stage.store.listFeedback((await stage.run('long')).runKey);
    expect(kept).toMatchObject([{ scorePerMille: -1_000, actor: 'developer', step: null }]);
    expect(kept[0]?.comment).toContain('It looked up what it knew.');
    expect(kept[0]?.comment).not.toContain('eve@example.com');
    await expect.poll(shown(page), SEEN).toMatch(/bad by developer/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a thousand steps are bounded: the newest first, more when asked for', async () => {
    const { page } = await openPage(browser, 'about:blank');
    const from = Date.now() - 3_600_000;
    const at = (index: number) => new Date(from + index * 1_000).toISOString();
    const spans = Array.from({ length: 2_000 }, (_, index) => ({
      type: index % 2 === 0 ? 'attempt' : 'toolCall',
      step: Math.floor(index / 2) + 1,
      label: index % 2 === 0 ? 'gpt-5-mini' : 'find_invoice',
      status: index % 2 === 0 ? 'ok' : 'done',
      startedAt: at(index),
      endedAt: at(index + 1),
      ...(index % 2 === 0 ? { costUsd: '0.0001' } : {}),
    }));
    await page.route('**/timeline', async (route) => {
      const answered = await route.fetch();
      await route.fulfill({ response: answered, json: { ...((await answered.json()) as object), spans, total: 2_600 } });
    });
    const since = Date.now();
    await page.goto(`${stage.url}/inbox/runs/long`);
    await expect.poll(shown(page), SEEN).toContain('Below are the last 120 of 2600.');
    expect(Date.now() - since).toBeLessThan(10_000);
    expect(await page.locator('.timeline tbody tr').count()).toBe(120);
    await page.getByRole('button', { name: 'Show 300 earlier ones' }).click();
    expect(await page.locator('.timeline tbody tr').count()).toBe(420);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.close();
  });
});
