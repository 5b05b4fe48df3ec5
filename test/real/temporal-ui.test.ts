import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DevProcess } from '../support/dev-process.ts';

const PICTURES = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
const CHROMIUM = process.env.CHROMIUM_PATH ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to open the Temporal UI with.');

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update'];
const SEEN = { timeout: 60_000 };

/** TOLLGATE_TAKE_PICTURES=1 writes the pictures that the README shows. */
async function takePicture(page: Page, name: string): Promise<void> {
  if (!process.env.TOLLGATE_TAKE_PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

describe.skipIf(!CHROMIUM)('an operator who has only the Temporal UI', () => {
  const dev = new DevProcess();
  let approvalId: string;
  let page: Page;
  let browser: Browser | undefined;
  let runUrl: string;
  beforeAll(async () => {
    const started = await dev.start();
    approvalId = started.approve[1] ?? '';
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1360, height: 1000 }, colorScheme: 'light' });
    await page.goto(started.runUrl, { waitUntil: 'domcontentloaded' });
    await page.waitForURL(/\/history$/, SEEN);
    runUrl = page.url().replace(/\/history$/, '');
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await dev.close();
  }, 60_000);

  /** The page's text; the UI renders Markdown in frames of their own. */
  const shown = async () => {
    // biome-ignore lint/performance/useDomNodeTextContent: what a person sees is meant; hidden text does not count.
    const texts = await Promise.all(page.frames().map((frame) => frame.locator('body').innerText()));
    return texts.join(' ').replaceAll(/\s+/g, ' ');
  };
  const open = (tab: string) => page.goto(`${runUrl}/${tab}`, { waitUntil: 'domcontentloaded' });

  test('sees each step, model and attempt as a line of its own, and the gate that was opened', async () => {
    await open('history');
    for (const line of [
      'callModel • step 2 · gpt-5-mini (simulated) · attempt 1',
      'callModel • step 2 · gpt-5-nano (simulated) · attempt 3',
      'executeTool • step 3 · find_order · read',
      'openGate • step 4 · gate for refund_order',
    ])
      await expect.poll(shown, SEEN).toContain(line);
    await takePicture(page, 'temporal-ui-run');
  });

  test('sees task, tenant, step, model, spend against budget, and the exact command that the run waits for', async () => {
    await open('user-metadata');
    await expect.poll(shown, SEEN).toContain('customer-support · northwind');
    await expect.poll(shown, SEEN).toMatch(/awaitingApproval · customer-support · step 4 of at most \d+ · gpt-5-mini \(simulated\)/);
    await expect.poll(shown, SEEN).toMatch(/0\.25 USD 0\.001\d+ 0\.01\d+/);
    await expect.poll(shown, SEEN).toMatch(new RegExp(`tollgate approve ${approvalId} --digest [0-9a-f]{64}`));
    await takePicture(page, 'temporal-ui-details');
  });

  test('finds runs by search attributes: task, tenant, feature, status, waiting, budget', async () => {
    await open('search-attributes');
    for (const attribute of ['TollgateTask', 'TollgateTenant', 'TollgateFeature', 'TollgateStatus', 'TollgateAwaitingApproval', 'TollgateBudgetUsd'])
      await expect.poll(shown, SEEN).toContain(attribute);
    const query = encodeURIComponent('TollgateAwaitingApproval = true AND TollgateTenant = "northwind"');
    await page.goto(`${new URL(runUrl).origin}/namespaces/default/workflows?query=${query}`, { waitUntil: 'domcontentloaded' });
    await expect.poll(shown, SEEN).toContain('sample-refund');
  });
});
