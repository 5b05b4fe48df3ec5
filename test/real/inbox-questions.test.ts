import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newApiKey } from '../../client/api-key.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { InboxStage, openPage, textOf } from '../support/inbox-stage.ts';
import { waitFor } from '../support/wait-for.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to ask at the inbox with.');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SEEN = { timeout: 30_000 };
const pay = { name: 'pay_invoice', arguments: { invoiceId: 'R-1', to: 'Nordlicht', amountCents: 4_200, currency: 'EUR' } };
const when = (lastUserMessageIncludes: string, text: string) => ({ when: { lastUserMessageIncludes }, text });
const scenarios = [
  {
    id: 'pay',
    match: { system: 'PAY' },
    turns: [
      { text: 'I pay it.', toolCalls: [pay] },
      {
        text: 'That is settled.',
        alternatives: [when('Question: Who', 'Mr Green did. <img src=x onerror="window.hacked=1"> approved'), when('Question: How', 'By bank transfer.')],
      },
      { text: 'That is settled.' },
    ],
  },
];

describe.skipIf(!CHROMIUM)('asking the agent at the inbox', () => {
  const stage = new InboxStage();
  let browser: Browser;
  beforeAll(async () => {
    await stage.open({ scenarios: scenarios as never });
    stage.url = await stage.startApi();
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS });
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await stage.close();
  }, 60_000);

  async function objections(page: Page): Promise<readonly string[]> {
    await page.evaluate(AXE);
    const found = (await page.evaluate('axe.run(document).then(({ violations }) => violations)')) as readonly { readonly id: string }[];
    return found.map(({ id }) => id);
  }
  const shown = (page: Page) => () => textOf(page.locator('body'));
  const atGate = async (gate: GateRecord) => {
    const opened = await openPage(browser, `${stage.url}/inbox/gates/${gate.approvalId}`);
    await opened.page.getByRole('heading', { level: 2, name: 'Questions to the agent' }).waitFor(SEEN);
    return opened;
  };
  const post = async (name: string, path: string) => {
    const { key, secret } = newApiKey({ name, scopes: ['read', 'decide'], roles: ['lead'] });
    await stage.store.putApiKey(key);
    return await fetch(`${stage.url}/v1/approvals/${path}`, { method: 'POST', headers: { authorization: `Bearer ${secret}` } });
  };

  test('by keyboard: the answer appears by itself, as words, and the gate waits as before', async () => {
    const gate = await stage.gateOf('ask', { id: 'pay-asked' });
    const { page, complaints } = await atGate(gate);
    await page.keyboard.press('q');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('Write what you want to know.');
    expect(await objections(page)).toEqual([]);
    await page.keyboard.type('Who asked for it?');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toContain('The agent answered');
    await expect.poll(shown(page), SEEN).toContain('Mr Green did. <img src=x onerror="window.hacked=1"> approved');
    expect(await shown(page)()).toContain('developer asked');
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [], actionDigest: gate.actionDigest });
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await objections(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    expect(await stage.ended('pay-asked')).toBe('completed');
    // What was asked stays to be seen, and nobody is asked any more.
    await expect.poll(shown(page), SEEN).toContain('Approved by developer');
    expect(await shown(page)()).toContain('Mr Green did.');
    expect(await page.getByRole('button', { name: 'Ask the agent' }).count()).toBe(0);
    await page.close();
  });

  test('taking a gate is seen by others, who may still decide; it is given back by the same key', async () => {
    const gate = await stage.gateOf('take', { id: 'pay-taken' });
    const { page } = await atGate(gate);
    await page.keyboard.press('t');
    await expect.poll(shown(page), SEEN).toContain('You are looking at it.');
    expect(await (await post('bob', `${gate.approvalId}/claim`)).json()).toMatchObject({ reason: 'taken' });
    await page.keyboard.press('t');
    await waitFor('nobody to look at it', async () => (await stage.gate(gate)).claim === undefined);
    expect((await post('bob', `${gate.approvalId}/claim`)).status).toBe(200);
    await expect.poll(shown(page), SEEN).toContain('key:bob is looking at it.');
    await expect.poll(() => textOf(page.locator('.list')), SEEN).toContain('key:bob looks at it');
    expect(await page.getByRole('button', { name: 'I am looking at it' }).count()).toBe(0);
    await page.keyboard.press('a');
    await page.keyboard.press('Enter');
    expect(await stage.ended('pay-taken')).toBe('completed');
    await page.close();
  });
});
