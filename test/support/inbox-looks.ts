import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { type Look, openPage } from './inbox-stage.ts';

const PICTURES = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS: readonly Look[] = [{ scheme: 'light' }, { scheme: 'dark' }, { width: 390, height: 844, scheme: 'light' }];

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds wrong: rules of WCAG up to AA, and its best practices. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate('axe.run(document).then(({ violations }) => violations)')) as readonly Violation[];
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}

/** TOLLGATE_TAKE_PICTURES=1 writes the pictures that docs/inbox.md shows. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (!process.env.TOLLGATE_TAKE_PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `inbox-${name}.png`) });
}

export interface Seen {
  /** The text that says that it is there. */
  readonly wait: string;
  readonly act?: (page: Page) => Promise<void>;
  /** The name of its picture, taken in the light; `all`: in every look. */
  readonly picture?: string;
  readonly all?: boolean;
}

/** Opens an address in light, in dark and on a phone: nothing that axe objects to, and on the phone nothing wider than the screen. */
export async function inEveryLook(browser: Browser, url: string, { wait, act = async () => undefined, picture, all = false }: Seen): Promise<void> {
  for (const look of LOOKS) {
    const { page } = await openPage(browser, url, look);
    await page.getByText(wait).filter({ visible: true }).first().waitFor({ timeout: 30_000 });
    await act(page);
    // Colours are compared as they are, not halfway through a transition.
    await page.waitForTimeout(300);
    expect(await violations(page), `${url} ${JSON.stringify(look)}`).toEqual([]);
    if (look.width) expect(await page.evaluate('document.documentElement.scrollWidth'), url).toBeLessThanOrEqual(look.width);
    const name = look.width ? 'phone' : look.scheme;
    if (picture && (all || name === 'light')) await takePicture(page, `${picture}${name === 'light' ? '' : `-${name}`}`);
    await page.close();
  }
}
