import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe } from 'vitest';
import { MIGRATIONS } from '../../adapters/stores/sqlite/migrations.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { testAuditUpgrade } from '../support/audit-upgrade.ts';

describe('a SQLite file from before the audit was chained', () => {
  testAuditUpgrade(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-old-'));
    const path = join(folder, 'tollgate.db');
    const version = MIGRATIONS.findIndex((sql) => sql.includes('CREATE TABLE audit_heads'));
    const write = async (sql: string) => {
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    };
    await write([...MIGRATIONS.slice(0, version), `PRAGMA user_version = ${version}`].join(';\n'));
    return { write, upgrade: () => openSqliteStore({ path }), remove: async () => rmSync(folder, { recursive: true, force: true }) };
  });
});
