import { afterAll, beforeAll, describe } from 'vitest';
import { MIGRATIONS } from '../../adapters/stores/postgres/migrations.ts';
import { openPostgresStore } from '../../adapters/stores/postgres/postgres-store.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { testAuditUpgrade } from '../support/audit-upgrade.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

describe.runIf(hasPostgres())('a Postgres database from before the audit was chained', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());

  testAuditUpgrade(async () => {
    const url = await server.createDatabase();
    await migratePostgres(
      url,
      MIGRATIONS.slice(
        0,
        MIGRATIONS.findIndex(({ sql }) => sql.includes('CREATE TABLE audit_heads')),
      ),
    );
    return {
      write: (sql) => server.sql(url, `SET search_path TO tollgate; ${sql}`),
      upgrade: async () => {
        await migratePostgres(url);
        return await openPostgresStore({ url });
      },
      remove: async () => undefined,
    };
  });
});
