import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Address, CUSTOMERS, ORDERS, type SeedOrder } from './catalogue.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS address_changes (
    idempotency_key TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, customer_id TEXT NOT NULL, address TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refunds (
    idempotency_key TEXT PRIMARY KEY, refund_id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL, amount_cents INTEGER NOT NULL, reason TEXT NOT NULL
  ) STRICT;
`;

export interface Order extends SeedOrder {
  readonly totalCents: number;
  readonly refundedCents: number;
}

export interface Refund {
  readonly refundId: string;
  readonly orderId: string;
  readonly amountCents: number;
  readonly reason: string;
}

export type RefundResult =
  | { readonly type: 'refunded'; readonly refund: Refund }
  | { readonly type: 'unknownOrder' }
  | { readonly type: 'tooMuch'; readonly refundableCents: number };

/**
 * The shop's own records: the embedded data, and what agents changed, in a file that outlives the worker and may be
 * shared by several. Opened when it is first used.
 */
export class NorthwindDatabase {
  readonly #path: string;
  #opened: DatabaseSync | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  findOrder(orderId: string): Order | null {
    const order = ORDERS.find((candidate) => candidate.orderId === orderId);
    return order ? this.#withMoney(order) : null;
  }

  listOrders(customerId: string): readonly Order[] {
    return ORDERS.filter((order) => order.customerId === customerId).map((order) => this.#withMoney(order));
  }

  /** Null where there is no such customer. */
  findAddress(customerId: string): Address | null {
    const customer = CUSTOMERS.find((candidate) => candidate.customerId === customerId);
    if (!customer) return null;
    const row = this.#database.prepare('SELECT address FROM address_changes WHERE customer_id = ? ORDER BY sequence DESC LIMIT 1').get(customerId);
    return row ? (JSON.parse(String(row.address)) as Address) : customer.address;
  }

  /** Sets the address. The same key again changes nothing, also where the address was changed since. */
  changeAddress(idempotencyKey: string, customerId: string, address: Address): void {
    this.#database
      .prepare(
        `INSERT INTO address_changes (idempotency_key, sequence, customer_id, address)
         VALUES (?, (SELECT COALESCE(MAX(sequence), 0) + 1 FROM address_changes), ?, ?) ON CONFLICT (idempotency_key) DO NOTHING`,
      )
      .run(idempotencyKey, customerId, JSON.stringify(address));
  }

  /** Refunds once per key; the same key again answers with the first refund. */
  refund(idempotencyKey: string, request: Omit<Refund, 'refundId'>): RefundResult {
    return this.#exclusively(() => {
      const earlier = this.findRefund(idempotencyKey);
      if (earlier) return { type: 'refunded', refund: earlier };
      const order = this.findOrder(request.orderId);
      if (!order) return { type: 'unknownOrder' };
      const refundableCents = order.totalCents - order.refundedCents;
      if (request.amountCents > refundableCents) return { type: 'tooMuch', refundableCents };
      const count = Number(this.#database.prepare('SELECT COUNT(*) AS n FROM refunds').get()?.n ?? 0);
      const refund: Refund = { refundId: `RF-${5001 + count}`, ...request };
      this.#database
        .prepare('INSERT INTO refunds (idempotency_key, refund_id, order_id, amount_cents, reason) VALUES (?, ?, ?, ?, ?)')
        .run(idempotencyKey, refund.refundId, refund.orderId, refund.amountCents, refund.reason);
      return { type: 'refunded', refund };
    });
  }

  /** Null where nothing was refunded under that key. */
  findRefund(idempotencyKey: string): Refund | null {
    const row = this.#database.prepare('SELECT refund_id, order_id, amount_cents, reason FROM refunds WHERE idempotency_key = ?').get(idempotencyKey);
    if (!row) return null;
    return { refundId: String(row.refund_id), orderId: String(row.order_id), amountCents: Number(row.amount_cents), reason: String(row.reason) };
  }

  close(): void {
    this.#opened?.close();
    this.#opened = null;
  }

  #withMoney(order: SeedOrder): Order {
    const row = this.#database.prepare('SELECT COALESCE(SUM(amount_cents), 0) AS refunded FROM refunds WHERE order_id = ?').get(order.orderId);
    const totalCents = order.items.reduce((sum, item) => sum + item.quantity * item.priceCents, 0);
    return { ...order, totalCents, refundedCents: Number(row?.refunded ?? 0) };
  }

  #exclusively<T>(work: () => T): T {
    const database = this.#database;
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  get #database(): DatabaseSync {
    if (this.#opened) return this.#opened;
    if (this.#path !== ':memory:') mkdirSync(dirname(this.#path), { recursive: true });
    const database = new DatabaseSync(this.#path, { timeout: 2_000 });
    database.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}`);
    this.#opened = database;
    return database;
  }
}
