import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { isMcpTool, ToolNotDone } from '../../domain/task/define.ts';
import type { ToolReconciliation } from '../../domain/tool/runtime-port.ts';
import { CUSTOMERS, ORDERS } from '../../tasks/customer-support/catalogue.ts';
import { createCustomerSupport } from '../../tasks/customer-support/task.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-northwind-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function worker() {
  const task = createCustomerSupport({ databasePath: join(folder, 'northwind.db') });
  const find = (name: string) => {
    const tool = task.tools?.find((candidate) => candidate.name === name);
    if (!tool || isMcpTool(tool)) throw new Error(`no tool ${name}`);
    return tool;
  };
  const context = (idempotencyKey: string) => ({
    runKey: { agentRunId: 'r', firstExecutionRunId: 'f' } as RunKey,
    callKey: idempotencyKey,
    idempotencyKey,
    tenant: 't',
    signal: new AbortController().signal,
  });
  return {
    task,
    call: (name: string, args: unknown, key = 'k'): Promise<JsonValue> => find(name).execute(find(name).parameters.parse(args), context(key)),
    reconcile: (name: string, args: unknown, key: string): Promise<ToolReconciliation> | undefined => find(name).reconcile?.(args, context(key)),
  };
}

const REFUND = { orderId: 'W-1042', amountCents: 32_900, reason: 'The tent arrived torn.' };

test('the prompt names the shop, and every tool says what it does to the world', () => {
  const { task } = worker();
  expect(task.prompt).toContain('customer support agent of Northwind Outfitters');
  expect(task.tools?.map((tool) => [tool.name, tool.effect])).toEqual([
    ['find_order', 'read'],
    ['list_customer_orders', 'read'],
    ['change_address', 'write'],
    ['refund_order', 'irreversible'],
  ]);
});

test('every order belongs to a customer, and no number is there twice', () => {
  expect(new Set(ORDERS.map((order) => order.orderId)).size).toBe(ORDERS.length);
  expect(ORDERS.every((order) => CUSTOMERS.some((customer) => customer.customerId === order.customerId))).toBe(true);
});

test('an order is found, an unknown one is certainly not', async () => {
  const { call } = worker();
  expect(await call('find_order', { orderId: 'W-1042' })).toMatchObject({ customerId: 'C-207', totalCents: 34_500, refundedCents: 0 });
  expect(await call('list_customer_orders', { customerId: 'C-207' })).toMatchObject({
    orders: [{ orderId: 'W-1042' }, { orderId: 'W-1043' }, { orderId: 'W-1048' }],
  });
  await expect(call('find_order', { orderId: 'W-9999' })).rejects.toBeInstanceOf(ToolNotDone);
});

test('the same refund under the same key happens once, also after the worker was started anew', async () => {
  const first = await worker().call('refund_order', REFUND, 'one');
  expect(await worker().call('refund_order', REFUND, 'one')).toEqual(first);
  expect(await worker().call('find_order', { orderId: 'W-1042' })).toMatchObject({ refundedCents: 32_900 });
});

test('reconcile tells what happened, also after the worker was started anew', async () => {
  const refunded = await worker().call('refund_order', REFUND, 'one');
  expect(await worker().reconcile('refund_order', REFUND, 'one')).toEqual({ type: 'done', result: refunded });
  expect(await worker().reconcile('refund_order', REFUND, 'other')).toEqual({ type: 'notDone', honoursIdempotencyKey: true });
});

test('no more is refunded than was paid', async () => {
  const { call } = worker();
  await call('refund_order', REFUND, 'one');
  await expect(call('refund_order', REFUND, 'two')).rejects.toBeInstanceOf(ToolNotDone);
  await expect(call('refund_order', { ...REFUND, orderId: 'W-9999' }, 'three')).rejects.toBeInstanceOf(ToolNotDone);
  expect(await call('find_order', { orderId: 'W-1042' })).toMatchObject({ refundedCents: 32_900 });
});

test('an address set to X, then Y, then X is X; the late retry of an earlier change does not come through', async () => {
  const { call } = worker();
  const change = (street: string, key: string) => call('change_address', { customerId: 'C-207', street, city: 'Duluth', postalCode: '55802' }, key);
  await change('X', 'a');
  await change('Y', 'b');
  await change('X', 'c');
  await change('Y', 'b');
  expect(await call('find_order', { orderId: 'W-1043' })).toMatchObject({ deliverTo: { street: 'X' } });
});
