import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { inEveryLook as everyLook } from '../support/inbox-looks.ts';
import { InboxStage } from '../support/inbox-stage.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to look at the inbox with.');
const SEEN = { timeout: 30_000 };

describe.skipIf(!CHROMIUM)('each state of the page has nothing that axe objects to', () => {
  const stage = new InboxStage();
  let browser: Browser;
  let strangerUrl: string;
  let plain: GateRecord;
  beforeAll(async () => {
    await stage.openWithApi();
    strangerUrl = await stage.startApi({ TOLLGATE_LOCAL_DEVELOPER: '0' });
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS });
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await stage.close();
  }, 60_000);

  const inEveryLook = (path: string, wait: string, act?: (page: Page) => Promise<void>, picture?: string) =>
    everyLook(browser, path.startsWith('http') ? path : `${stage.url}${path}`, {
      wait,
      all: picture === 'gate',
      ...(act ? { act } : {}),
      ...(picture ? { picture } : {}),
    });

  test('nothing waits; nobody is signed in; nothing is there', async () => {
    await inEveryLook('/inbox/', 'Nothing waits for you.');
    await inEveryLook('/inbox/runs', 'No run yet.');
    await inEveryLook('/inbox/overview', 'No run in this time.');
    await inEveryLook('/inbox/gates/none', 'There is no gate none');
    await inEveryLook('/inbox/nowhere', 'There is no such page.');
    await inEveryLook(`${strangerUrl}/inbox/gates/some`, 'Who are you?');
  });

  test('a gate, and gates of others', async () => {
    const others = await stage.gateOf('like-2', { task: 'large-invoices' });
    expect((await stage.decideAs('alice', others, { verdict: 'approve', comment: 'I checked the meter.' })).status).toBe(200);
    plain = await stage.gateOf('plain');
    await stage.gateOf('like-1');
    await stage.gateOf('hostile');
    const path = `/inbox/gates/${plain.approvalId}`;
    await inEveryLook(path, 'Nordlicht Energie GmbH', async (page) => void (await page.getByText('Why').first().waitFor(SEEN)), 'gate');
    await inEveryLook(path, 'Nordlicht Energie GmbH', (page) => page.keyboard.press('r'));
    await inEveryLook(`/inbox/gates/${others.approvalId}`, 'I checked the meter.');
  });

  test('every dialog, also with its mistake', async () => {
    const path = `/inbox/gates/${plain.approvalId}`;
    await inEveryLook(path, 'What policy asks', (page) => page.keyboard.press('a'), 'approve');
    await inEveryLook(path, 'What policy asks', async (page) => {
      await page.keyboard.press('d');
      await page.locator('dialog').waitFor(SEEN);
      await page.keyboard.press('Enter');
      await page.getByText('Say why').waitFor(SEEN);
    });
    await inEveryLook(path, 'What policy asks', (page) => page.keyboard.press('?'));
    await inEveryLook('/inbox/runs/pay-plain', 'Timeline', async (page) => page.getByRole('button', { name: 'Cancel the run…' }).click());
  });

  test('several are chosen', async () => {
    await inEveryLook('/inbox/', 'Waits for you', async (page) => {
      for (const box of await page.getByRole('checkbox').all()) if (await box.isVisible()) await box.check();
    });
  });

  test('hostile arguments', async () => {
    const gates = await stage.store.listGates({ runKey: (await stage.run('pay-hostile')).runKey, limit: 1 });
    await inEveryLook(`/inbox/gates/${gates[0]?.approvalId}`, 'Show all', undefined, 'hostile');
  });

  test('runs, one run, and the overview', async () => {
    expect((await stage.decideAs('bob', plain, { verdict: 'approve' })).status).toBe(200);
    expect(await stage.ended('pay-plain')).toBe('completed');
    await inEveryLook(`/inbox/gates/${plain.approvalId}`, 'nothing can be taken back');
    await stage.store.setQuota({ tenant: 'acme', feature: null, per: 'month', unit: 'nanoUsd', limit: 50_000_000 }, 'command');
    await inEveryLook('/inbox/runs', 'pay-plain');
    await inEveryLook('/inbox/runs/pay-plain', 'Long waits are drawn shorter', undefined, 'run');
    await inEveryLook('/inbox/overview', 'Median wait', undefined, 'overview');
  });

  test('whoever wants no motion gets none', async () => {
    const page = await browser.newPage({ reducedMotion: 'reduce' });
    await page.goto(`${stage.url}/inbox/`);
    await page.getByText('Waits for you').first().waitFor(SEEN);
    const moving = await page.evaluate('[...document.querySelectorAll("*")].filter((element) => getComputedStyle(element).transitionDuration !== "0s").length');
    expect(moving).toBe(0);
    await page.close();
  });
});
