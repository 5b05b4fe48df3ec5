import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { integer, type Row } from '../rows.ts';
import { describeAddress, isConflict, isConnectionLost, toStoreError } from './store-errors.ts';

/** All below the heartbeat timeout (4 s), so that a frozen worker's locks are gone before another takes its work over. */
const CONNECT_TIMEOUT_MS = 2_000;
const LOCK_TIMEOUT_MS = 2_500;
const STATEMENT_TIMEOUT_MS = 3_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 3_000;
/** Of a server that does not answer at all. */
const ANSWER_TIMEOUT_MS = 3_500;
const DEFAULT_CONNECTIONS = 10;
const MAX_TRIES = 5;
const RETRY_PAUSE_MS = 10;

/** What was answered as written survives a crash of the server, whatever it does for others. */
const SESSION = `SET search_path TO tollgate; SET lock_timeout TO ${LOCK_TIMEOUT_MS}; SET statement_timeout TO ${STATEMENT_TIMEOUT_MS};
  SET idle_in_transaction_session_timeout TO ${IDLE_IN_TRANSACTION_TIMEOUT_MS};
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`;
/** Each statement sees what was committed before it, so that a row which was waited for is read as it now is. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';
/** Milliseconds since 1970 when it is evaluated, not when the transaction began. */
export const SERVER_TIME = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

export type Parameters = Readonly<Record<string, unknown>>;

export interface DatabaseOptions {
  readonly url: string;
  /** The most connections of this process. */
  readonly maxConnections?: number | undefined;
  /** Milliseconds since 1970. Default: the server's clock, which all machines share. */
  readonly now?: (() => number) | undefined;
}

/** Runs statements with named parameters, `:name`; `:now` is the store's time at that moment. */
export interface Session {
  all(sql: string, parameters?: Parameters): Promise<Row[]>;
  get(sql: string, parameters?: Parameters): Promise<Row | undefined>;
  nowMs(): Promise<number>;
}

export interface Transaction extends Session {
  /** Runs a transaction's last statement and commits with it, so that its locks are held for one way to the server less. */
  commitWith(sql: string, parameters?: Parameters): Promise<Row | undefined>;
}

type Ask = (sql: string, parameters: Parameters) => Promise<Row[]>;

/** A bounded pool of connections to one database: statements prepared once for each connection, errors in our own words. */
export class Database implements Session {
  readonly #pool: pg.Pool;
  readonly #statements = new Map<string, Statement>();
  readonly #now: (() => number) | undefined;
  readonly #outside: Session;
  /** The address without what is secret. */
  readonly description: string;

  constructor({ url, maxConnections = DEFAULT_CONNECTIONS, now }: DatabaseOptions) {
    this.description = describeAddress(url);
    this.#now = now;
    this.#outside = this.#session((sql, parameters) => this.#withClient((client) => this.#run(client, sql, parameters)));
    this.#pool = new pg.Pool({
      connectionString: url,
      max: maxConnections,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
      pipeline: true,
      application_name: 'tollgate',
      onConnect: async (client) => {
        // A connection that breaks while nobody waits for it says so by an event, which ends the process where nobody listens.
        client.on('error', () => undefined);
        await client.query(SESSION);
      },
    });
    this.#pool.on('error', () => undefined);
  }

  /** One statement, which is its own transaction. */
  all(sql: string, parameters?: Parameters): Promise<Row[]> {
    return this.#outside.all(sql, parameters);
  }

  get(sql: string, parameters?: Parameters): Promise<Row | undefined> {
    return this.#outside.get(sql, parameters);
  }

  nowMs(): Promise<number> {
    return this.#outside.nowMs();
  }

  /**
   * Runs `body` in one transaction, and again where another one was in the way, so `body` does nothing but decide and
   * query. What it throws rolls everything back.
   */
  async transaction<T>(body: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#withClient((client) => this.#inTransaction(client, body));
      } catch (error) {
        if (!(error instanceof Error) || !isConflict(error.cause) || tries === MAX_TRIES) throw error;
        await sleep(Math.random() * RETRY_PAUSE_MS * 2 ** tries);
      }
    }
  }

  async #inTransaction<T>(client: pg.PoolClient, body: (transaction: Transaction) => Promise<T>): Promise<T> {
    const run: Ask = (sql, parameters) => this.#run(client, sql, parameters);
    let committed: Promise<unknown> | null = null;
    const commitWith = async (sql: string, parameters: Parameters = {}) => {
      const rows = run(sql, parameters);
      // Sent without waiting. Behind a statement that failed, it rolls back.
      committed = this.#ask(client, 'COMMIT');
      return (await Promise.all([rows, committed]))[0][0];
    };
    await this.#ask(client, BEGIN);
    let result: T;
    try {
      result = await body({ ...this.#session(run), commitWith });
    } catch (error) {
      // Trouble in rolling back must not hide the first error.
      await this.#ask(client, 'ROLLBACK').catch(() => broken.add(client));
      throw error;
    }
    if (!committed) await this.#ask(client, 'COMMIT');
    return result;
  }

  #session(ask: Ask): Session {
    const all = (sql: string, parameters: Parameters = {}) => ask(sql, parameters);
    const get = async (sql: string, parameters?: Parameters) => (await all(sql, parameters))[0];
    return { all, get, nowMs: async () => this.#now?.() ?? integer((await get(`SELECT ${SERVER_TIME} AS now_ms`)) ?? {}, 'now_ms') };
  }

  /** A connection for `body`; one that broke meanwhile is not used again. */
  async #withClient<T>(body: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toStoreError(this.description, error);
    });
    try {
      return await body(client);
    } finally {
      client.release(broken.has(client));
    }
  }

  async #run(client: pg.PoolClient, sql: string, parameters: Parameters): Promise<Row[]> {
    const { name, text, names } = this.#statement(sql);
    const values = names.map((parameter) => (parameter === 'now' ? this.#now?.() : parameters[parameter]) ?? null);
    return await this.#ask(client, { name, text, values });
  }

  async #ask(client: pg.PoolClient, query: string | pg.QueryConfig): Promise<Row[]> {
    try {
      return (await client.query<Row>(query)).rows;
    } catch (error) {
      if (isConnectionLost(error)) broken.add(client);
      throw toStoreError(this.description, error);
    }
  }

  #statement(sql: string): Statement {
    const statement = this.#statements.get(sql) ?? toStatement(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

const broken = new WeakSet<pg.PoolClient>();

interface Statement {
  /** A prepared statement's name on the server. */
  readonly name: string;
  readonly text: string;
  /** The parameters in their places. */
  readonly names: readonly string[];
}

function toStatement(sql: string): Statement {
  const names: string[] = [];
  const text = sql.replace(/(?<!:):([a-zA-Z]+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    const place = `$${names.indexOf(name) + 1}`;
    return name === 'now' ? `coalesce(${place}::bigint, ${SERVER_TIME})` : place;
  });
  return { name: createHash('sha256').update(text).digest('hex').slice(0, 32), text, names };
}
