import { z } from 'zod';
import type { JsonValue } from '../../contracts/json.ts';
import { defineTool, ToolNotDone, type ToolSpec } from '../../domain/task/define.ts';
import type { NorthwindDatabase, Order, Refund } from './database.ts';

const orderId = z
  .string()
  .regex(/^W-\d{4}$/)
  .describe('The order number, such as W-1042.');
const customerId = z
  .string()
  .regex(/^C-\d{3}$/)
  .describe('The customer number, such as C-207.');

/** The tools of the support agent, over the shop's own records. */
export function createTools(database: NorthwindDatabase): readonly ToolSpec[] {
  return [findOrder(database), listCustomerOrders(database), changeAddress(database), refundOrder(database)];
}

function findOrder(database: NorthwindDatabase): ToolSpec {
  return defineTool({
    name: 'find_order',
    description: 'Looks an order up: its items, what was paid, what was refunded, and where it is.',
    parameters: z.object({ orderId }),
    effect: 'read',
    async execute(args) {
      const order = database.findOrder(args.orderId);
      if (!order) throw new ToolNotDone(`There is no order ${args.orderId}. Ask the customer for the number.`);
      return { ...orderJson(order), deliverTo: { ...database.findAddress(order.customerId) } };
    },
  });
}

function listCustomerOrders(database: NorthwindDatabase): ToolSpec {
  return defineTool({
    name: 'list_customer_orders',
    description: 'Lists the orders of a customer, oldest first.',
    parameters: z.object({ customerId }),
    effect: 'read',
    async execute(args) {
      if (!database.findAddress(args.customerId)) throw new ToolNotDone(`There is no customer ${args.customerId}. Ask for the number.`);
      return { customerId: args.customerId, orders: database.listOrders(args.customerId).map(orderJson) };
    },
  });
}

function changeAddress(database: NorthwindDatabase): ToolSpec {
  return defineTool({
    name: 'change_address',
    description: "Changes the address for a customer's next deliveries. Parcels on their way are not redirected.",
    parameters: z.object({
      customerId,
      street: z.string().min(1).max(200),
      city: z.string().min(1).max(100),
      postalCode: z.string().min(1).max(20),
      country: z.string().length(2).default('US').describe('Two letters, such as US.'),
    }),
    effect: 'write',
    async execute({ customerId: customer, ...address }, context) {
      if (!database.findAddress(customer)) throw new ToolNotDone(`There is no customer ${customer}. Ask for the number.`);
      database.changeAddress(context.idempotencyKey, customer, address);
      return { customerId: customer, address };
    },
  });
}

function refundOrder(database: NorthwindDatabase): ToolSpec {
  return defineTool({
    name: 'refund_order',
    description: 'Sends money back to the customer. It can not be taken back, so a person decides on it first.',
    parameters: z.object({
      orderId,
      amountCents: z.int().min(1).max(10_000_000).describe('US cents; 12900 is 129.00 USD.'),
      reason: z.string().min(1).max(500).describe('Why, in one sentence, for the person who decides.'),
    }),
    effect: 'irreversible',
    destination: 'Northwind payments',
    async execute(args, context) {
      const result = database.refund(context.idempotencyKey, args);
      switch (result.type) {
        case 'refunded':
          return refundJson(result.refund);
        case 'unknownOrder':
          throw new ToolNotDone(`There is no order ${args.orderId}. Nothing was refunded.`);
        case 'tooMuch':
          throw new ToolNotDone(
            `Only ${result.refundableCents} cents of ${args.orderId} can still be refunded, not ${args.amountCents}. Nothing was refunded.`,
          );
      }
    },
    async reconcile(_args, context) {
      const refund = database.findRefund(context.idempotencyKey);
      return refund ? { type: 'done', result: refundJson(refund) } : { type: 'notDone', honoursIdempotencyKey: true };
    },
  });
}

function orderJson(order: Order): { readonly [key: string]: JsonValue } {
  return { ...order, items: order.items.map((item) => ({ ...item })) };
}

function refundJson(refund: Refund): JsonValue {
  return { ...refund };
}
