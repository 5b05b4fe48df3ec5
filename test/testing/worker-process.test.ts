import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { approveAll, breaks, call, inOrder, returns, startTestEnvironment, type TestEnvironment } from 'tollgate/testing';
import { findOrder, refund, support } from './support-task.ts';

const config = fileURLToPath(new URL('project/tollgate.config.ts', import.meta.url));
const ask = (message: string) => ({ message });

let environment: TestEnvironment;
beforeAll(async () => {
  environment = await startTestEnvironment({ config, worker: 'process', approver: approveAll });
});
afterAll(() => environment?.stop());

test('a task by name runs in a worker of its own, whose replaced tools run in the test', async () => {
  const seen: unknown[] = [];
  environment.replaceTools({
    find_order: inOrder(breaks('once'), (args, { tenant }) => {
      seen.push([args, tenant]);
      return 'found';
    }),
  });
  environment.model.script([call(findOrder, { orderId: 'P' }), ({ toolResults }) => toolResults.join()], { user: 'by name' });
  const run = await environment.run('support', ask('by name'), { tenant: 'acme' });
  expect(run.outcome).toMatchObject({ status: 'completed', output: 'found' });
  expect(seen).toEqual([[{ orderId: 'P', detail: false }, 'acme']]);
});

test('a worker killed between two steps: another goes on, nothing is done twice, and the ledger holds against the bill', async () => {
  let calls = 0;
  environment.replaceTools({
    find_order: () => {
      calls += 1;
      return 'found';
    },
  });
  environment.model.script([call(findOrder, { orderId: 'K' }), call(findOrder, { orderId: 'L' }), 'done'], { user: 'kill between' });
  const run = await environment.start(support, ask('kill between'));
  await run.step(1);
  await environment.killWorker();
  await environment.startWorker();
  expect((await run.ended()).output).toBe('done');
  expect(calls).toBe(2);
  expect(await run.moneyProblems()).toEqual([]);
});

test('a worker killed in the middle of an irreversible action: it is in doubt, and what the destination says counts', async () => {
  let tries = 0;
  let asked = 0;
  environment.replaceTools({
    refund: {
      execute: async () => {
        tries += 1;
        await environment.killWorker();
        await environment.startWorker();
        return 'nobody hears this';
      },
      reconcile: () => {
        asked += 1;
        return { type: 'done', result: { refunded: 1 } };
      },
    },
  });
  environment.model.script([call(refund, { orderId: 'W', amountCents: 1 }), ({ toolResults }) => toolResults.join()], { user: 'kill inside' });
  const run = await environment.run(support, ask('kill inside'));
  expect(run.outcome.output).toBe('{"refunded":1}');
  expect([tries, asked]).toEqual([1, 1]);
});

test('a worker that was stopped leaves runs waiting, and the next one takes them', async () => {
  environment.replaceTools({ find_order: returns('found') });
  environment.model.script([call(findOrder, { orderId: 'S' }), 'done'], { user: 'stopped' });
  await environment.stopWorker();
  const run = await environment.start(support, ask('stopped'));
  await expect(run.ended({ timeoutMs: 300 })).rejects.toThrow('which no worker has begun');
  await environment.startWorker();
  expect((await run.ended()).status).toBe('completed');
});

test('what does not go together is refused, and nothing is left behind', async () => {
  await expect(startTestEnvironment({})).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('either "tasks" or "config"') });
  await expect(startTestEnvironment({ tasks: [support], worker: 'process' })).rejects.toThrow('give "config" as the path');
  await expect(startTestEnvironment({ config: 'no/such.config.ts' })).rejects.toThrow('There is no configuration');
  await using here = await startTestEnvironment({ tasks: [support], temporalAddress: environment.temporalAddress });
  await expect(here.killWorker()).rejects.toThrow("runs in the test's own process");
});

test('stop() stops everything and removes the folder, also the second time', async () => {
  const own = await startTestEnvironment({ config, worker: 'process' });
  await Promise.all([own.stop(), own.stop()]);
  expect(existsSync(own.folder)).toBe(false);
  expect(await answers(own.temporalAddress)).toBe(false);
});

test('a test process that is killed leaves neither server nor folder behind', async () => {
  const child = fork(fileURLToPath(new URL('left-behind.ts', import.meta.url)), { execArgv: ['--conditions=tollgate-source'] });
  try {
    const [{ folder, temporalAddress }] = (await once(child, 'message')) as [{ folder: string; temporalAddress: string }];
    expect([existsSync(folder), await answers(temporalAddress)]).toEqual([true, true]);
    child.kill('SIGKILL');
    await expect.poll(() => existsSync(folder), { timeout: 15_000 }).toBe(false);
    expect(await answers(temporalAddress)).toBe(false);
  } finally {
    child.kill('SIGKILL');
  }
});

async function answers(address: string): Promise<boolean> {
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
