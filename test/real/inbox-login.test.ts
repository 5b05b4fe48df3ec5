import { createServer } from 'node:net';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, CHROMIUM_FLAGS } from '../support/chromium.ts';
import { takePicture, violations } from '../support/inbox-looks.ts';
import { InboxStage, textOf } from '../support/inbox-stage.ts';
import { AUDIENCE, Issuer } from '../support/issuer.ts';

if (!CHROMIUM) console.log('Skipped: there is no Chromium here (set CHROMIUM_PATH) to sign in with.');
const SEEN = { timeout: 30_000 };
const SESSION_MS = 45_000;

describe.skipIf(!CHROMIUM)('people whom an OpenID Connect issuer vouches for, each in a browser of their own', () => {
  const stage = new InboxStage();
  let issuer: Issuer;
  let browser: Browser;
  let url: string;
  /** The same API to the same people, where sessions are short. */
  let shortUrl: string;
  beforeAll(async () => {
    await stage.openWithApi();
    issuer = await Issuer.listen();
    const ports = [await freePort(), await freePort()];
    await issuer.serve(...ports.map((port) => `http://127.0.0.1:${port}/login/callback`));
    const people = {
      TOLLGATE_LOCAL_DEVELOPER: undefined,
      TOLLGATE_OIDC_ISSUER: issuer.url,
      TOLLGATE_OIDC_AUDIENCE: AUDIENCE,
      TOLLGATE_OIDC_CLIENT_ID: 'tollgate',
      TOLLGATE_OIDC_CLIENT_SECRET: 'a secret of the client',
      TOLLGATE_OIDC_SCOPES: 'openid profile',
      TOLLGATE_OIDC_ROLES: 'support-lead=lead',
    };
    url = await stage.startApi({ ...people, TOLLGATE_LISTEN: `127.0.0.1:${ports[0]}` });
    shortUrl = await stage.startApi({ ...people, TOLLGATE_LISTEN: `127.0.0.1:${ports[1]}`, TOLLGATE_SESSION_HOURS: String(SESSION_MS / 3_600_000) });
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS });
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await stage.close();
    await issuer?.close();
  }, 60_000);

  const shown = (page: Page) => () => textOf(page.locator('body'));
  const somebody = () => browser.newContext({ viewport: { width: 1_280, height: 860 } });

  /** Types a name into the issuer's form, and agrees, where it asks. */
  async function signIn(page: Page, name: string): Promise<void> {
    await page.locator('input[name=login]').fill(name);
    await page.locator('input[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  async function opened(context: BrowserContext, address: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  test('who comes by a link signs in, lands at its gate, decides in their own name, and signs out', async () => {
    const gate = await stage.gateOf('plain', { id: 'oidc-pay' });
    const address = `${url}/inbox/gates/${gate.approvalId}`;
    const context = await somebody();
    const page = await opened(context, address);
    // Nobody is known here: the page itself leads to the issuer.
    await page.waitForURL(`${issuer.url}/**`, SEEN);
    await signIn(page, 'alice');
    await page.waitForURL(address, SEEN);
    await page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);

    await page.getByRole('button', { name: 'You: Alice Ames' }).click();
    for (const words of ['Alice Ames', '#alice', 'lead', 'acme', 'look, decide', 'Signed in'])
      await expect.poll(() => textOf(page.locator('dialog')), SEEN).toContain(words);
    expect(await violations(page)).toEqual([]);
    await takePicture(page, 'who');
    await page.getByRole('button', { name: 'Close' }).click();

    await page.keyboard.press('a');
    await page.locator('dialog').waitFor(SEEN);
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toMatch(/Approved by Alice Ames \(oidc:127\.0\.0\.1:\d+#alice\)/);
    expect(await stage.ended('oidc-pay')).toBe('completed');
    expect((await stage.gate(gate)).votes).toMatchObject([{ displayName: 'Alice Ames', verdict: 'approve', unverified: false }]);

    const cookies = await context.cookies();
    await page.getByRole('button', { name: 'You: Alice Ames' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect.poll(shown(page), SEEN).toContain('You are signed out');
    expect(await violations(page)).toEqual([]);
    expect(await textOf(page.locator('body'))).not.toContain('Nordlicht');
    expect((await page.request.get(`${url}/v1/inbox`)).status()).toBe(401);
    // Also for whoever kept a copy of the cookie.
    await context.clearCookies();
    await context.addCookies(cookies.filter(({ name }) => name === 'tollgate'));
    expect((await page.request.get(`${url}/v1/inbox`)).status()).toBe(401);
    await context.close();
  });

  test('another tenant’s approver sees nothing of it; one without the role sees and decides nothing', async () => {
    const gate = await stage.gateOf('plain', { id: 'oidc-private' });
    const address = `${url}/inbox/gates/${gate.approvalId}`;
    for (const name of ['mallory', 'bob']) {
      const context = await somebody();
      const page = await opened(context, address);
      await signIn(page, name);
      await page.waitForURL(address, SEEN);
      await expect.poll(shown(page), SEEN).toContain(`There is no gate ${gate.approvalId}`);
      await expect.poll(shown(page), SEEN).toContain('Nothing waits for you.');
      await page.keyboard.press('a');
      expect(await page.locator('dialog').count()).toBe(0);
      await page.goto(`${url}/inbox/runs`);
      await expect.poll(shown(page), SEEN).toContain(name === 'mallory' ? 'No run yet.' : 'oidc-private');
      if (name === 'mallory') {
        await page.goto(`${url}/inbox/runs/oidc-private`);
        await expect.poll(shown(page), SEEN).toContain('Not here');
        expect(await textOf(page.locator('body'))).not.toContain('Nordlicht');
      }
      await context.close();
    }
    expect(await stage.gate(gate)).toMatchObject({ status: 'open', votes: [] });
  });

  test('a role that somebody who is away has delegated brings its gates, and the decision names both', async () => {
    const gate = await stage.gateOf('denied', { id: 'oidc-delegated' });
    const alice = await somebody();
    const hers = await opened(alice, `${url}/inbox/`);
    await signIn(hers, 'alice');
    await hers
      .getByRole('heading', { name: /pay_invoice|Waits for you/ })
      .first()
      .waitFor(SEEN);
    const { csrfToken } = (await (await hers.request.get(`${url}/v1/me`)).json()) as { readonly csrfToken: string };
    const bobs = `oidc:${issuer.url.slice('http://'.length)}#bob`;
    const given = await hers.request.post(`${url}/v1/delegations`, {
      headers: { 'x-tollgate-csrf': csrfToken },
      data: { to: bobs, role: 'lead', tenant: 'acme', until: new Date(Date.now() + 3_600_000).toISOString() },
    });
    expect(given.status(), await given.text()).toBe(201);
    await alice.close();

    const context = await somebody();
    const address = `${url}/inbox/gates/${gate.approvalId}`;
    const page = await opened(context, address);
    await signIn(page, 'bob');
    await page.waitForURL(address, SEEN);
    await expect.poll(shown(page), SEEN).toMatch(/You decide for oidc:\S+#alice, who has delegated it to you/);
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('d');
    await page.keyboard.type('We do not know this company.');
    await page.keyboard.press('Enter');
    await expect.poll(shown(page), SEEN).toMatch(/Denied by Bob \(oidc:\S+#bob\) for oidc:\S+#alice/);
    expect((await stage.gate(gate)).votes).toMatchObject([{ approver: bobs, onBehalfOf: expect.stringMatching(/#alice$/), verdict: 'deny' }]);
    await context.close();
  });

  test('a session that is over says so over what is on the screen, and signing in again leads back to it', { timeout: SESSION_MS + 90_000 }, async () => {
    const gate = await stage.gateOf('plain', { id: 'oidc-over' });
    const address = `${shortUrl}/inbox/gates/${gate.approvalId}`;
    const context = await somebody();
    const page = await opened(context, address);
    await signIn(page, 'alice');
    await page.waitForURL(address, SEEN);
    await page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);
    await expect.poll(shown(page), { timeout: SESSION_MS + 20_000 }).toContain('Your session is over');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Sign in' }).click();
    // The issuer still knows her, and lets her in without asking.
    await page.waitForURL(address, SEEN);
    await page.getByRole('heading', { level: 1, name: 'pay_invoice' }).waitFor(SEEN);
    await expect.poll(shown(page), SEEN).not.toContain('Your session is over');
    await page.keyboard.press('a');
    await page.locator('dialog').waitFor(SEEN);
    await page.keyboard.press('Enter');
    expect(await stage.ended('oidc-over')).toBe('completed');
    await context.close();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address ? address.port : 0;
}
