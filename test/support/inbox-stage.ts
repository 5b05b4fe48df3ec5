import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { newApiKey } from '../../client/api-key.ts';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { Stage } from './stage.ts';
import { waitFor } from './wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const CONFIG = `
import { z } from '${pathToFileURL(join(ROOT, 'node_modules/zod/index.js')).href}';
const common = { models: ['gpt-5-mini'], maxOutputTokens: 8192, budgetUsd: 0.5 };
const pay = { name: 'pay_invoice', description: 'pays', parameters: z.looseObject({}), effect: 'irreversible', execute: async () => ({ paid: true }) };
const look = { name: 'find_invoice', description: 'finds', parameters: z.looseObject({}), effect: 'read', execute: async () => ({ status: 'due' }) };
const tried = { when: { arguments: [{ path: 'amountCents', operator: '>', value: 100000 }] }, approvers: 2, needs: [{ role: 'finance', approvers: 1 }], shadow: true };
export default {
  tasks: [
    { ...common, name: 'invoices', prompt: 'PAY', tools: [look, pay], gates: { irreversible: { role: 'lead' } } },
    { ...common, name: 'large-invoices', prompt: 'PAY', tools: [look, pay], gates: { irreversible: { role: 'lead', approvers: 2 } } },
    { ...common, name: 'watched-invoices', prompt: 'PAY', tools: [look, pay], gates: { irreversible: { role: 'lead', rules: [tried] } } },
    { ...common, name: 'wires', prompt: 'PAY', tools: [look, { ...pay, version: '2', execute: async () => { throw new Error('The bank cut the line.'); } }], gates: { irreversible: { role: 'lead' } } },
    { ...common, name: 'poor', prompt: 'PAY', budgetUsd: 0.001, raiseByUsd: 0.25, onBudgetExhausted: 'ask', tools: [look, pay], gates: { irreversible: { role: 'lead' } } },
    { ...common, name: 'cut-off', prompt: 'DOWN', onModelsUnavailable: 'person', limits: { maxAttemptsPerStep: 1 }, gates: { irreversible: { role: 'lead' } } },
    { ...common, name: 'long', prompt: 'LONG', tools: [look], limits: { maxSteps: 64 } },
  ],
};
`;

type Arguments = Exclude<NonNullable<NonNullable<ScenarioInput['turns'][number]['toolCalls']>[number]['arguments']>, string>;

/** What each sample run wants to do, by a word of its message. */
export const PAYMENTS: Readonly<Record<string, Arguments>> = {
  plain: {
    invoiceId: 'R-2041',
    to: 'Nordlicht Energie GmbH',
    amountCents: 184_250,
    currency: 'EUR',
    dueOn: '2026-12-01',
    note: 'Electricity, November. Second reminder.',
  },
  denied: { invoiceId: 'R-3300', to: 'Unknown Ltd', amountCents: 990_000, currency: 'EUR' },
  ...Object.fromEntries(
    [1, 2, 3].map((index) => [`like-${index}`, { invoiceId: `R-50${index}`, to: 'Stadtwerke', amountCents: 4_000 + index, currency: 'EUR' }]),
  ),
  hostile: {
    to: '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    account: 'bob\u202e52.1 evil\u202c',
    '"><script>window.hacked=1</script>': 'javascript:window.hacked=1',
    note: `${'A very long text. '.repeat(400)}END`,
    deep: Array.from({ length: 12 }).reduce<Arguments>((inner, _, index) => ({ [`level${12 - index}`]: inner }), { bottom: 'here' }),
    word: 'x'.repeat(3_000),
    empty: '',
    nothing: null,
    flags: [true, false],
  },
};

const scenario = ([id, args]: readonly [string, Arguments]): ScenarioInput => ({
  id,
  match: { user: `(${id})` },
  turns: [
    { text: 'I look the invoice up first.', toolCalls: [{ name: 'find_invoice', arguments: { invoiceId: String(args.invoiceId ?? 'R-1') } }] },
    { text: 'The invoice is due and matches the order, so I pay it.', toolCalls: [{ name: 'pay_invoice', arguments: args }] },
    { text: 'That is settled.' },
  ],
});

/** A run of many steps, and one whose models are down. */
const OTHERS: readonly ScenarioInput[] = [
  {
    id: 'long',
    match: { system: 'LONG' },
    turns: [
      ...Array.from({ length: 29 }, (_, index) => ({ toolCalls: [{ name: 'find_invoice', arguments: { invoiceId: `R-${index}` } }] })),
      { text: 'All looked up.' },
    ],
  },
  { id: 'down', match: { system: 'DOWN' }, turns: [{ text: 'never', faults: [{ type: 'serverError', attempt: [1, 2, 3, 4, 5, 6] }] }] },
];

interface StartOptions {
  readonly task?: string;
  readonly id?: string;
  readonly tenant?: string;
}

/** Temporal, a worker, a simulated provider and the API with its page, each a process of its own. */
export class InboxStage extends Stage {
  readonly #configFolder: string;
  #apis: ReadyChild[] = [];
  url = '';

  constructor() {
    const configFolder = mkdtempSync(join(tmpdir(), 'tollgate-inbox-'));
    const configPath = join(configFolder, 'tollgate.config.ts');
    writeFileSync(configPath, CONFIG);
    super({ TOLLGATE_CONFIG: configPath, TOLLGATE_LOCAL_DEVELOPER: '1' });
    this.#configFolder = configFolder;
  }

  async openWithApi(): Promise<this> {
    await this.open({ scenarios: [...OTHERS, ...Object.entries(PAYMENTS).map(scenario)] });
    this.url = await this.startApi();
    return this;
  }

  async startApi(env: NodeJS.ProcessEnv = {}): Promise<string> {
    const api = await startChild({
      name: 'HTTP API',
      script: join(ROOT, 'client', 'http', 'main.ts'),
      env: { ...this.environment, TOLLGATE_LISTEN: '127.0.0.1:0', TOLLGATE_TEMPORAL_UI_URL: 'http://127.0.0.1:8233', ...env },
      cwd: ROOT,
      logPath: join(this.folder, `api-${this.#apis.length}.log`),
    });
    this.#apis.push(api);
    return String(api.ready.url);
  }

  /** Starts a run over the API and waits until it stands at its gate. */
  async gateOf(payment: string, options: StartOptions = {}): Promise<GateRecord> {
    return await this.openGate(this.client.workflow.getHandle(await this.begin(payment, options)));
  }

  /** Starts a run over the API. */
  async begin(payment: string, { task = 'invoices', id = `pay-${payment}`, tenant = 'acme' }: StartOptions = {}): Promise<string> {
    await this.post('/v1/runs', { task, id, input: { message: `Please see to invoice (${payment}).` }, tenant, feature: 'payables' });
    return id;
  }

  /** Says something to the API as the developer at this machine. */
  async post<T>(path: string, body: object): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  }

  /** Decides as somebody else does, with a key of their own. */
  async decideAs(name: string, { approvalId, actionDigest }: GateRecord, decision: object): Promise<Response> {
    const { key, secret } = newApiKey({ name, scopes: ['read', 'decide'], roles: ['lead'] });
    await this.store.putApiKey(key);
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    return await fetch(`${this.url}/v1/approvals/${approvalId}/decisions`, { method: 'POST', headers, body: JSON.stringify({ actionDigest, ...decision }) });
  }

  async ended(agentRunId: string): Promise<string> {
    return await waitFor(`the end of ${agentRunId}`, async () => (await this.run(agentRunId)).end?.status, 60_000);
  }

  async gate({ runKey, approvalId }: GateRecord): Promise<GateRecord> {
    const gate = await this.store.getGate(runKey, approvalId);
    if (!gate) throw new Error(`there is no gate ${approvalId}`);
    return gate;
  }

  override async close(): Promise<void> {
    await Promise.all(this.#apis.map((api) => api.stop()));
    await super.close();
    rmSync(this.#configFolder, { recursive: true, force: true });
  }
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
}

/** Opens the page in a window of its own; everything that the browser complains of is collected. */
export async function openPage(
  browser: Browser,
  url: string,
  { width = 1_280, height = 860, scheme = 'light' }: Look = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  const complaints: string[] = [];
  page.on('console', (message) => {
    // Without sign-in there is no such route, which the page is told by the status.
    if (message.type() === 'error' && !message.location().url.endsWith('/v1/me')) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url, { waitUntil: 'load' });
  return { page, complaints };
}

/** What a person reads there, on one line. */
export async function textOf(place: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: hidden text does not count.
  return (await place.innerText()).replaceAll(/\s+/g, ' ');
}
