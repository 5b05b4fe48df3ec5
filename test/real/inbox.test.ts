import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GateContext } from '../../client/inbox-report.ts';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { InboxStage, openPage, textOf } from '../support/inbox-stage.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to open the inbox with.');
const SEEN = { timeout: 30_000 };

describe.skipIf(!CHROMIUM)('an approver at the inbox', () => {
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
  const atGate = async (approvalId: string) => {
    const opened = await openPage(browser, `${stage.url}/inbox/gates/${approvalId}`);
    await opened.page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);
    return opened;
  };

  test('sees what will happen, why and what was spent, approves with two keys, and the run goes on to its end', async () => {
    const gate = await stage.gateOf('plain');
    const { page, complaints } = await openPage(browser, `${stage.url}/`);
    // The most urgent one is opened by itself.
    await page.waitForURL(`**/inbox/gates/${gate.approvalId}`, SEEN);
    for (const words of [
      '€1,842.50',
      '184250 cents',
      'Nordlicht Energie GmbH',
      'Tue, 1 Dec 2026',
      'The invoice is due and matches the order',
      'Please see to invoice (plain).',
      'find_invoice',
      '0 of 1 approval with the role lead',
      'expires in 23 h',
    ])
      await expect.poll(shown(page), SEEN).toContain(words);
    expect(await page.title()).toBe('(1) Inbox · Tollgate');

    await page.keyboard.press('a');
    expect((await stage.gate(gate)).status).toBe('open');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('Approved by developer');
    expect(await stage.ended('pay-plain')).toBe('completed');
    await expect.poll(shown(page), SEEN).toContain('carried on: nothing can be taken back');
    await expect.poll(shown(page), SEEN).toContain('The action: done');
    expect((await stage.gate(gate)).votes).toMatchObject([{ approver: 'developer', verdict: 'approve', unverified: false }]);

    await page.keyboard.press('o');
    await page.waitForURL('**/inbox/runs/pay-plain', SEEN);
    for (const words of ['completed', 'That is settled.', 'Timeline', 'find_invoice', 'gpt-5-mini', 'Ledger'])
      await expect.poll(shown(page), SEEN).toContain(words);
    expect(await page.locator('.timeline svg rect.span').count()).toBe(6);
    expect(await page.getByRole('link', { name: 'Temporal UI' }).getAttribute('href')).toBe('http://127.0.0.1:8233/namespaces/default/workflows/pay-plain');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('denies with a reason that the agent is told; without one nothing is sent', async () => {
    const gate = await stage.gateOf('denied');
    const { page } = await atGate(gate.approvalId);
    await page.keyboard.press('d');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('Say why');
    expect((await stage.gate(gate)).status).toBe('open');
    await page.keyboard.type('We do not know this company.');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('Denied by developer');
    expect(await stage.ended('pay-denied')).toBe('completed');
    expect(await stage.gate(gate)).toMatchObject({ status: 'denied', votes: [{ verdict: 'deny', comment: 'We do not know this company.' }] });
    expect((await stage.store.listToolCalls(gate.runKey)).map(({ tool }) => tool)).toEqual(['find_invoice']);
    await page.close();
  });

  test('who looks at something else than what would run decides nothing, and is told so', async () => {
    const gate = await stage.gateOf('plain', { id: 'pay-changed' });
    const opened = await openPage(browser, 'about:blank');
    const { page } = opened;
    let answers = 0;
    // A screen that shows an older state of the action than the one that the gate asks for.
    await page.route('**/context', async (route) => {
      const answer = await route.fetch();
      const context = (await answer.json()) as GateContext;
      answers += 1;
      const older = { ...context.gate, actionDigest: 'f'.repeat(64), arguments: { ...(context.gate.arguments as object), amountCents: 100 } };
      await route.fulfill({ response: answer, json: answers > 2 ? context : { ...context, gate: older } });
    });
    await page.goto(`${stage.url}/inbox/gates/${gate.approvalId}`);
    await expect.poll(shown(page), SEEN).toContain('€1.00');
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('The action has changed since you looked at it. Nothing was decided');
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [] });

    await expect.poll(shown(page), SEEN).toContain('The action has changed since you opened it.');
    await expect.poll(() => textOf(page.locator('.field.changed')), SEEN).toContain('€1,842.50');
    await page.getByRole('button', { name: 'I have seen it' }).click();
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    expect(await stage.ended('pay-changed')).toBe('completed');
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.close();
  });

  test('like ones are chosen and approved together, each with its own digest', async () => {
    const gates = await Promise.all(['like-1', 'like-2', 'like-3'].map((payment) => stage.gateOf(payment)));
    const { page } = await atGate(gates[0]?.approvalId ?? '');
    await expect.poll(() => page.locator('.row').count(), SEEN).toBe(3);
    await page.keyboard.press('X');
    await expect.poll(shown(page), SEEN).toContain('3 chosen');
    await page.keyboard.press('a');
    for (const words of ['€40.01', '€40.02', '€40.03', 'Approve 3']) await expect.poll(() => textOf(page.locator('dialog')), SEEN).toContain(words);
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('Approved: 3.');
    for (const gate of gates) {
      expect(await stage.ended(gate.runKey.agentRunId)).toBe('completed');
      expect((await stage.gate(gate)).status).toBe('consumed');
    }
    await expect.poll(shown(page), SEEN).toContain('Nothing waits for you.');
    await page.close();
  });

  test('sees at once what somebody else decides, takes a decision back, and decides again', async () => {
    const gate = await stage.gateOf('plain', { id: 'pay-large', task: 'large-invoices' });
    const { page, complaints } = await atGate(gate.approvalId);
    await expect.poll(shown(page), SEEN).toContain('0 of 2 approvals by different people');
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('1 of 2 approvals by different people');
    await expect.poll(shown(page), SEEN).toContain('You have decided. It waits for others.');
    await page.keyboard.press('u');
    await expect.poll(shown(page), SEEN).toContain('0 of 2 approvals by different people');
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('1 of 2 approvals by different people');
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [{ approver: 'developer' }] });

    const address = page.url();
    const since = Date.now();
    expect((await stage.decideAs('alice', gate, { verdict: 'approve' })).status).toBe(200);
    await expect.poll(shown(page), SEEN).toMatch(/Approved by developer, key:alice/);
    expect(Date.now() - since).toBeLessThan(15_000);
    expect(page.url()).toBe(address);
    expect(await stage.ended('pay-large')).toBe('completed');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('changes the arguments, is told what is wrong with them, and approves what they have become', async () => {
    const gate = await stage.gateOf('plain', { id: 'pay-edited' });
    const { page } = await atGate(gate.approvalId);
    await page.getByRole('button', { name: 'Change' }).waitFor(SEEN);
    await page.keyboard.press('e');
    const json = page.getByLabel('Arguments, as JSON');
    await json.fill('{ "to": ');
    await page.getByRole('button', { name: 'Change', exact: true }).last().click();
    await expect.poll(shown(page), SEEN).toContain('This is no JSON');
    await json.fill(JSON.stringify({ ...(gate.arguments as object), amountCents: 100_000 }));
    await page.getByLabel('Why (optional)').fill('Half now.');
    await page.getByRole('button', { name: 'Change', exact: true }).last().click();
    await expect.poll(shown(page), SEEN).toContain('€1,000.00');
    await expect.poll(shown(page), SEEN).toMatch(/developer changed amountCents, .* Half now\./);
    await expect.poll(() => page.locator('dialog').count(), SEEN).toBe(0);
    const edited = await stage.gate(gate);
    expect(edited).toMatchObject({ status: 'open', arguments: { amountCents: 100_000 }, votes: [] });
    expect(edited.actionDigest).not.toBe(gate.actionDigest);
    // Who still has the action of before on their screen approves nothing.
    expect(await (await stage.decideAs('alice', gate, { verdict: 'approve' })).json()).toMatchObject({ reason: 'wrongDigest' });
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    expect(await stage.ended('pay-edited')).toBe('completed');
    expect((await stage.gate(gate)).status).toBe('consumed');
    await page.close();
  });

  test('hostile arguments are text: nothing runs, nothing hides, and the page stays in its frame', async () => {
    const gate = await stage.gateOf('hostile');
    const { page, complaints } = await atGate(gate.approvalId);
    for (const words of [
      '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
      'bobU+202E52.1 evilU+202C',
      'javascript:window.hacked=1',
      'Show all 7,203 characters',
    ])
      await expect.poll(shown(page), SEEN).toContain(words);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('.gate img, .gate script, .gate a[href^="javascript"]').count()).toBe(0);
    expect(await page.evaluate('document.querySelector(".detail").scrollWidth - document.querySelector(".detail").clientWidth')).toBeLessThanOrEqual(0);
    await page.getByRole('button', { name: 'Show all 7,203 characters' }).click();
    await expect.poll(shown(page), SEEN).toContain('A very long text. END');
    await page.keyboard.press('r');
    await expect.poll(() => textOf(page.getByLabel('Raw JSON of the arguments')), SEEN).toContain('"account": "bob\\u202e52.1 evil\\u202c"');
    await page.goto(`${stage.url}/inbox/runs/pay-hostile`);
    await expect.poll(shown(page), SEEN).toContain('pay_invoice');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(complaints).toEqual([]);
    // The browser itself refuses text as markup here, whoever tries.
    expect(await page.evaluate('(() => { try { document.body.innerHTML = "<b>x</b>"; return "markup"; } catch (error) { return error.name; } })()')).toBe(
      'TypeError',
    );
    await page.close();
  });

  test('on a phone the list and the gate come one after the other, nothing is wider than the screen, and a thumb decides', async () => {
    const gate = await stage.gateOf('plain', { id: 'pay-phone' });
    const { page } = await openPage(browser, `${stage.url}/inbox/`, { width: 360, height: 740, scheme: 'dark' });
    await page.getByRole('link', { name: /R-2041/ }).click();
    await page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);
    expect(await page.locator('.list').isVisible()).toBe(false);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    expect(await page.evaluate('document.activeElement.id')).toBe('gate-title');
    await page.getByRole('link', { name: 'Inbox', exact: false }).first().waitFor(SEEN);
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Approve' }).click();
    expect(await stage.ended('pay-phone')).toBe('completed');
    expect((await stage.gate(gate)).status).toBe('consumed');
    await page.close();
  });

  test('while the API does not answer the page says so, and goes on by itself', async () => {
    const gate = await stage.gateOf('denied', { id: 'pay-later' });
    const { page } = await atGate(gate.approvalId);
    await page.route('**/v1/**', (route) => route.abort());
    await expect.poll(shown(page), SEEN).toContain('does not answer just now');
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('it is not known whether your decision arrived; the gate shows it');
    await page.unroute('**/v1/**');
    await expect.poll(shown(page), SEEN).not.toContain('does not answer just now');
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [] });
    await page.close();
  });

  test('single keys can be switched off, and do nothing while one writes', async () => {
    const gate = await stage.gateOf('denied', { id: 'pay-quiet' });
    const { page } = await atGate(gate.approvalId);
    await page.keyboard.press('?');
    await page.getByRole('checkbox', { name: 'Single keys are on' }).uncheck();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.keyboard.press('a');
    expect(await page.locator('dialog').count()).toBe(0);
    await page.keyboard.press('?');
    await page.getByRole('checkbox', { name: 'Single keys are on' }).check();
    await page.keyboard.press('Escape');
    await page.keyboard.press('d');
    await page.keyboard.type('a d u ?');
    expect(await page.locator('dialog').count()).toBe(1);
    expect(await page.locator('textarea').inputValue()).toBe('a d u ?');
    await page.keyboard.press('Escape');
    expect((await stage.gate(gate)).status).toBe('open');
    await page.close();
  });

  test('a run is cancelled from its page, and its gate is withdrawn', async () => {
    const gate = await stage.gateOf('denied', { id: 'pay-cancelled' });
    const { page } = await openPage(browser, `${stage.url}/inbox/runs/pay-cancelled`);
    await page.getByRole('button', { name: 'Cancel the run…' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Cancel the run' }).click();
    await expect.poll(shown(page), SEEN).toContain('The run was asked to stop');
    expect(await stage.ended('pay-cancelled')).toBe('cancelled');
    expect((await stage.gate(gate)).status).toBe('withdrawn');
    await page.close();
  });
});
