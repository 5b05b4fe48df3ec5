import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNotifiers } from '../../adapters/notifiers/open-notifiers.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { channelsSchema, type ChannelSpec } from '../../contracts/notification.ts';
import { deliverNotifications, MAX_TRIES } from '../../domain/notification/deliver.ts';
import type { Store } from '../../domain/store/port.ts';
import { newGate, startRun } from '../support/store-contract/fixtures.ts';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const SECRET = Buffer.from('a secret of the receiver').toString('base64');
let folder: string;
let store: Store;
let nowMs: number;
let server: Server;
let received: Received[];
let answer: number | 'hang';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-notify-'));
  nowMs = 1_800_000_000_000;
  store = await openSqliteStore({ path: join(folder, 'tollgate.db'), now: () => nowMs });
  received = [];
  answer = 200;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      if (answer !== 'hang') response.writeHead(answer).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const hook = (change: Partial<ChannelSpec> = {}): ChannelSpec =>
  ({ name: 'hook', type: 'webhook', url: `${url()}/hook`, secret: 'HOOK_SECRET', ...change }) as ChannelSpec;

function portsOf(channels: readonly ChannelSpec[], of: Store = store) {
  const secrets: Record<string, string> = { HOOK_SECRET: `whsec_${SECRET}`, SLACK_URL: `${url()}/slack` };
  const notifiers = openNotifiers(channels, { secret: (name) => secrets[name], allowLoopback: true, timeoutMs: 400 });
  return { store: of, notifiers, publicUrl: 'https://tollgate.example.com' };
}

async function openGate(change: Parameters<typeof newGate>[1] = {}, tenant = 'acme') {
  return await store.createGate(
    newGate(await startRun(store, { tenant }), { arguments: { amount: 'zanzibar' }, createdAtMs: nowMs, expiresAtMs: nowMs + 3_600_000, ...change }),
  );
}

test('a webhook is signed as Standard Webhooks says, has the link, and not what the action is about', async () => {
  const gate = await openGate();
  expect(await deliverNotifications(portsOf([hook()]))).toEqual({ done: 1, dead: 0 });
  const { headers, body } = received[0] ?? { headers: {} as IncomingHttpHeaders, body: '' };
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', Buffer.from(SECRET, 'base64')).update(signed).digest('base64')}`);
  expect(JSON.parse(body)).toMatchObject({
    type: 'gateOpened',
    data: { link: `https://tollgate.example.com/inbox/gates/${gate.approvalId}`, gate: { approvalId: gate.approvalId, tool: 'refund', tenant: 'acme' } },
  });
  expect(body).not.toContain('zanzibar');
  expect(await deliverNotifications(portsOf([hook()]))).toEqual({ done: 0, dead: 0 });
  expect(received).toHaveLength(1);
});

test('values are shown only where the channel may have them', async () => {
  await openGate();
  await deliverNotifications(portsOf([hook({ showArguments: true }), { name: 'slack', type: 'slack', url: 'SLACK_URL' }]));
  expect(received.filter(({ body }) => body.includes('zanzibar')).map(({ path }) => path)).toEqual(['/hook']);
});

test('a message for Slack has a button, and what a tool is called can call nobody', async () => {
  await openGate({ destination: '<!channel> https://evil.example' });
  await deliverNotifications(portsOf([{ name: 'slack', type: 'slack', url: 'SLACK_URL' }]));
  const message = JSON.parse(received[0]?.body ?? '{}') as { blocks: { elements?: { url: string }[] }[] };
  expect(message.blocks[1]?.elements?.[0]?.url).toMatch(/^https:\/\/tollgate\.example\.com\/inbox\/gates\//);
  expect(received[0]?.body).not.toContain('<!channel>');
});

test('who fails or hangs is tried again with the same id, later and later; who has it is not told again', async () => {
  await openGate();
  const channels = [hook(), { name: 'slack', type: 'slack', url: 'SLACK_URL' } as const];
  answer = 503;
  expect(await deliverNotifications(portsOf(channels))).toEqual({ done: 0, dead: 0 });
  expect(await deliverNotifications(portsOf(channels))).toEqual({ done: 0, dead: 0 });
  expect(received).toHaveLength(2);
  answer = 'hang';
  nowMs += 5_000;
  await deliverNotifications(portsOf(channels));
  expect(received).toHaveLength(4);
  answer = 200;
  nowMs += 9_999;
  await deliverNotifications(portsOf(channels));
  expect(received).toHaveLength(4);
  nowMs += 1;
  expect(await deliverNotifications(portsOf(channels))).toEqual({ done: 1, dead: 0 });
  expect(new Set(received.filter(({ path }) => path === '/hook').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(received).toHaveLength(6);
});

test('who answers that nobody is there is not asked again, and is shown as given up; others get it', async () => {
  await openGate();
  answer = 410;
  expect(await deliverNotifications(portsOf([hook()]))).toEqual({ done: 0, dead: 1 });
  nowMs += 86_400_000;
  await deliverNotifications(portsOf([hook()]));
  expect(received.filter(({ body }) => body.includes('gateOpened'))).toHaveLength(1);
  expect(await store.countNotifications()).toMatchObject({ dead: 1, someDead: [{ dead: { hook: 'it answered 410' } }] });
});

test('what fails for too long is given up', async () => {
  const gate = await openGate({ expiresAtMs: nowMs + 365 * 86_400_000 });
  answer = 500;
  for (let tries = 0; tries < MAX_TRIES + 3; tries += 1) {
    await deliverNotifications(portsOf([hook()]));
    nowMs += 6 * 3_600_000;
  }
  expect(received).toHaveLength(MAX_TRIES);
  expect(await store.countNotifications()).toMatchObject({ pending: 0, dead: 1, someDead: [{ approvalId: gate.approvalId }] });
});

test('a worker that dies between sending and marking sends again with the same id, and no more than that', async () => {
  await openGate();
  const dying: Store = {
    ...store,
    reportDelivery: async () => {
      throw new Error('killed');
    },
  };
  await expect(deliverNotifications(portsOf([hook()], dying))).rejects.toThrow('killed');
  expect(await deliverNotifications(portsOf([hook()]))).toEqual({ done: 0, dead: 0 });
  nowMs += 60_000;
  expect(await deliverNotifications(portsOf([hook()]))).toEqual({ done: 1, dead: 0 });
  expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([received[0]?.headers['webhook-id'], received[0]?.headers['webhook-id']]);
});

test('channels are by tenant, role and event; nobody is asked about a gate that is decided', async () => {
  await openGate({}, 'globex');
  const decided = await openGate();
  await store.closeGate(decided.runKey, decided.approvalId, 'withdrawn');
  await deliverNotifications(portsOf([hook({ tenants: ['acme'] })]));
  expect(received).toEqual([]);
  const other = await openGate();
  await deliverNotifications(portsOf([hook({ roles: ['nobody'] })]));
  expect(received).toEqual([]);
  await store.closeGate(other.runKey, other.approvalId, 'withdrawn');
  await deliverNotifications(portsOf([hook({ events: ['gateDecided'] })]));
  expect(received.map(({ body }) => (JSON.parse(body) as { data: { title: string } }).data.title)).toEqual(['refund is withdrawn']);
});

test('an address inside is refused where loopback is not allowed, and given up', async () => {
  await openGate();
  const notifiers = openNotifiers([hook()], { secret: () => 'whsec_AAAA', allowLoopback: false });
  expect(await deliverNotifications({ store, notifiers })).toEqual({ done: 0, dead: 1 });
  expect(received).toEqual([]);
});

test('an e-mail has the link and the event as its Message-ID; a server that refuses it is given up', async () => {
  const mails: string[] = [];
  let refuses = false;
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, _session, done) => {
      let mail = '';
      stream.on('data', (chunk: Buffer) => {
        mail += chunk.toString();
      });
      stream.on('end', () => {
        if (refuses) return done(Object.assign(new Error('no such mailbox'), { responseCode: 550 }));
        mails.push(mail);
        done();
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = smtp.server.address() as AddressInfo;
    const channel: ChannelSpec = { name: 'mail', type: 'email', host: '127.0.0.1', port, from: 'Tollgate <gate@example.com>', to: ['lead@example.com'] };
    const gate = await openGate();
    expect(await deliverNotifications(portsOf([channel]))).toEqual({ done: 1, dead: 0 });
    expect(mails[0]).toMatch(/^Subject: refund waits for approval\r?$/m);
    expect(mails[0]).toMatch(/^Message-ID: <[0-9a-f-]{36}@example\.com>\r?$/m);
    expect(mails[0]?.replaceAll(/=\r\n/g, '')).toContain(`/inbox/gates/${gate.approvalId}`);
    expect(mails[0]).not.toContain('zanzibar');
    refuses = true;
    await openGate();
    expect(await deliverNotifications(portsOf([channel]))).toEqual({ done: 0, dead: 1 });
  } finally {
    await new Promise<void>((resolve) => smtp.close(resolve));
  }
});

test('a channel that names a variable which is not set is refused by name; two of one name too', () => {
  expect(() => openNotifiers([hook()], { secret: () => undefined, allowLoopback: true })).toThrow(/"hook" names HOOK_SECRET/);
  expect(channelsSchema.safeParse([hook(), hook()]).success).toBe(false);
});
