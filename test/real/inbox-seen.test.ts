import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { InboxStage, openPage } from '../support/inbox-stage.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to see decisions with.');
/** docs/gate-numbers.md has what 50 come to. */
const DECISIONS = Number(process.env.TOLLGATE_DECISIONS ?? 8);
const SEEN = { timeout: 30_000 };
/** Between two questions of the page, so that decisions fall at any moment between them. */
const POLL_MS = 1_500;

describe.skipIf(!CHROMIUM)('from a decision in one window to seeing it in another', () => {
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

  /** When the page comes to show `words`, by the clock of this machine. */
  const momentOf = (page: Page, words: string) =>
    page.evaluate(`new Promise((resolve) => {
      const look = () => document.querySelector('.detail')?.innerText.includes(${JSON.stringify(words)}) && resolve(Date.now());
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
      look();
    })`) as Promise<number>;

  test(`${DECISIONS} decisions, each at another moment`, { timeout: 120_000 + DECISIONS * 15_000 }, async () => {
    const [first, second] = [await openPage(browser, `${stage.url}/inbox/`), await openPage(browser, `${stage.url}/inbox/`)];
    const waits: number[] = [];
    for (let index = 0; index < DECISIONS; index += 1) {
      const gate = await stage.gateOf('plain', { id: `seen-${index}` });
      for (const { page } of [first, second]) {
        await page.goto(`${stage.url}/inbox/gates/${gate.approvalId}`);
        await page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);
      }
      await first.page.keyboard.press('a');
      await first.page.locator('dialog').waitFor(SEEN);
      await first.page.waitForTimeout((index / DECISIONS) * POLL_MS);
      const seen = momentOf(second.page, 'Approved by');
      const sentAtMs = Date.now();
      await first.page.keyboard.press('Enter');
      waits.push((await seen) - sentAtMs);
    }
    const sorted = waits.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
    console.log(`decision in one window → seen in another, ${DECISIONS} decisions, median / p95 / most, ms: ${at(0.5)} / ${at(0.95)} / ${at(1)}`);
    expect(sorted[0]).toBeGreaterThan(0);
    expect(at(0.95)).toBeLessThan(10_000);
  });
});
