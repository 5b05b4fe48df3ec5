import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgresStore } from '../../adapters/stores/postgres/postgres-store.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { anchorAudit } from '../../domain/audit/anchor.ts';
import { exportPage } from '../../domain/audit/export.ts';
import type { Store } from '../../domain/store/port.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { exported, UNSIGNED, verified } from '../support/store-contract/audit-contract.ts';
import { startRun } from '../support/store-contract/fixtures.ts';
import { waitFor } from '../support/wait-for.ts';

const SLOW_MS = 1_000;
/** Numbers are given out when a row is written and appear when it is committed: whoever reads in pages must miss none of those in between. */
describe.runIf(hasPostgres())('a slow transaction on a real Postgres', () => {
  let server: PostgresServer;
  let url: string;
  let store: Store;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    url = await server.createDatabase();
    await migratePostgres(url);
    store = await openPostgresStore({ url });
    // What the actor "slow" does is written at once and committed late.
    await server.sql(
      url,
      `SET search_path TO tollgate;
       CREATE FUNCTION commit_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(${SLOW_MS / 1_000}); RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER commit_late AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.actor = 'slow') EXECUTE FUNCTION commit_late()`,
    );
  });
  afterEach(() => store.close());

  const isCommittingLate = () =>
    waitFor('the slow commit', async () => {
      const [row] = await server.sql(
        url,
        "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
      );
      return row?.waiting === 1;
    });

  test('rows that older workers write late into no chain are taken in by an anchor, none missed', async () => {
    const write = 'INSERT INTO tollgate.audit (run, at_ms, type, actor, data_json) VALUES (NULL, 1, $1, $2, $3)';
    await store.appendAudit({ type: 'chained', runKey: null, actor: 'op', data: {} });
    const older = new pg.Client({ connectionString: url });
    older.on('error', () => undefined);
    await older.connect();
    try {
      await older.query('BEGIN');
      await older.query(write, ['late', 'old', '{}']);
      await server.sql(url, write, ['early', 'old', '{}']);
      const anchoring = anchorAudit(store, UNSIGNED, 5);
      await sleep(300);
      await older.query('COMMIT');
      await anchoring;
    } finally {
      await older.end();
    }
    await anchorAudit(store, UNSIGNED, 5);
    const lines = await exported(store);
    expect(lines.flatMap(({ unchained }) => (unchained as { type: string } | undefined)?.type ?? [])).toEqual(['late', 'early']);
    expect(verified(lines)).toMatchObject({ isIntact: true, unproven: 0, findings: [] });
  });

  test('an export has all that was committed when it began, whole, and the next one has what came late', async () => {
    const run = await startRun(store);
    await store.appendAudit({ type: 'before', runKey: run, actor: 'op', data: {} });
    const late = Promise.all([
      store.appendAudit({ type: 'late', runKey: null, tenant: 'a new chain', actor: 'slow', data: {} }),
      store.appendAudit({ type: 'late', runKey: run, actor: 'op', data: {} }),
    ]);
    await isCommittingLate();
    await store.appendAudit({ type: 'before', runKey: null, tenant: 'a newer chain', actor: 'op', data: {} });
    const types = (lines: readonly object[]) => lines.flatMap((line) => ('type' in line && /before|late/.test(String(line.type)) ? [String(line.type)] : []));
    const lines: object[] = [];
    for (let cursor: Parameters<typeof exportPage>[2] = { chain: 0, after: 0 }; cursor; ) {
      const page = await exportPage(store, {}, cursor, 1);
      lines.push(...page.lines);
      cursor = page.next;
    }
    expect(types(lines).filter((type) => type === 'before')).toHaveLength(2);
    expect(verified([{ tollgateAudit: 1, exportedAtMs: 1, selection: {} }, ...lines, { end: { rows: lines.length } }])).toMatchObject({ isIntact: true });
    await late;
    const after = await exported(store);
    expect(types(after).toSorted()).toEqual(['before', 'before', 'late', 'late']);
    expect(verified(after)).toMatchObject({ isIntact: true, findings: [] });
  });
});
