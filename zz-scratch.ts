import { spawn } from 'node:child_process';
import { createAgentClient, connectTemporal } from './client/index.ts';
import { TollgateError } from './contracts/failures.ts';
import { defineTask } from './domain/task/define.ts';
import { SEARCH_ATTRIBUTES } from './contracts/temporal.ts';
const t0 = Date.now();
for (const address of ['127.0.0.1:1', '10.255.255.1:7233']) {
  const t = Date.now();
  try { await connectTemporal({ address, namespace: 'default' }); } catch (e) { console.log(Date.now() - t, (e as TollgateError).type, (e as Error).message); }
}
const port = 17555;
const server = spawn('/tmp/tc/bin/temporal', ['server', 'start-dev', '--headless', '--port', String(port), '--log-level', 'never'], { stdio: 'ignore' });
try {
  let c; for (;;) { try { c = await connectTemporal({ address: `127.0.0.1:${port}`, namespace: 'default' }, 2000); break; } catch {} }
  const agent = createAgentClient({ client: c.client, identity: { name: 'dev', roles: ['*'] }, signer: { sign: () => 'a.b' } });
  const task = defineTask({ name: 'greet', prompt: 'x', models: ['gpt-5-nano'], maxOutputTokens: 10, budgetUsd: 1 });
  const tr = async (n: string, f: () => Promise<unknown>) => { const t = Date.now(); try { console.log(n, Date.now() - t, JSON.stringify(await f()), Date.now() - t); } catch (e) { console.log(n, 'ERR', (e as TollgateError).type, (e as Error).message, Date.now() - t); } };
  await tr('start-nosa', () => agent.start(task, { message: 'hi' }, { id: 'r1' }));
  await c.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes: Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((a) => [a.name, ({ KEYWORD: 2, DOUBLE: 4, BOOL: 5 } as const)[a.type]])) });
  console.log(JSON.stringify((await c.connection.operatorService.listSearchAttributes({ namespace: 'default' })).customAttributes));
  await new Promise((r) => setTimeout(r, 200));
  await tr('start', () => agent.start(task, { message: 'hi' }, { id: 'r1' }));
  await tr('start-again', () => agent.start(task, { message: 'hi' }, { id: 'r1' }));
  await tr('describe', () => agent.describe('r1'));
  await tr('describe-unknown', () => agent.describe('nope'));
  await tr('approve', () => agent.approve('g1', { actionDigest: 'a'.repeat(64), agentRunId: 'r1' }));
  await tr('approve-unknown-run', () => agent.approve('g1', { actionDigest: 'a'.repeat(64), agentRunId: 'r9' }));
  await tr('cancel', () => agent.cancel('r1'));
  await c.client.workflow.getHandle('r1').terminate('x');
  await tr('cancel-ended', () => agent.cancel('r1'));
  await tr('approve-ended', () => agent.approve('g1', { actionDigest: 'a'.repeat(64), agentRunId: 'r1' }));
  await tr('result', () => agent.result('r1'));
  await tr('cancel-unknown', () => agent.cancel('nope'));
  await tr('list', () => agent.list());
  server.kill(); await new Promise((r) => setTimeout(r, 500));
  await tr('describe-dead', () => agent.describe('r1'));
  await tr('approve-dead', () => agent.approve('g1', { actionDigest: 'a'.repeat(64), agentRunId: 'r1' }));
} finally { server.kill(); }
process.exit(0);
