import { TollgateError } from '../../../contracts/failures.ts';
import type { QuotaRule } from '../../../contracts/quota.ts';
import { MAX_QUOTAS } from '../../../domain/quota/quota.ts';
import type { QuotaRecord, QuotaStore } from '../../../domain/quota/store-port.ts';
import { integer, listLimit, type Row, toQuota, toQuotaWindow } from '../rows.ts';
import { type QuotaWindowRow, windowsOf } from '../reservation.ts';
import { QUOTA_COLUMNS, QUOTA_MATCHES, UPSERT_QUOTA, WINDOW_COLUMNS } from '../sql.ts';
import type { Connection } from './connection.ts';

/** Never the newest row, whose number SQLite would give out again: attempts name their windows by number. */
const IS_OVER = 'kept_until_ms < :now AND id < (SELECT max(id) FROM scopes)';

export function createQuotaStore(db: Connection): QuotaStore {
  return {
    setQuota: async (rule, source) =>
      db.write(() => {
        upsert(db, rule, source);
        return ofRule(db, rule);
      }),
    syncQuotas: async (rules) => db.write(() => sync(db, rules)),
    removeQuota: async (quotaId) =>
      db.write(() => {
        const row = db.get(`SELECT ${QUOTA_COLUMNS} FROM quotas WHERE id = :id`, { id: Number(quotaId) });
        db.run('DELETE FROM quotas WHERE id = :id', { id: Number(quotaId) });
        return row ? toQuota(row) : null;
      }),
    listQuotas: async () => db.read(() => list(db)),
    listQuotaWindows: async ({ quotaId, limit }) =>
      db.read(() => {
        const ofQuota = quotaId === null ? 'quota IN (SELECT id FROM quotas) AND starts_at_ms <= :now AND ends_at_ms > :now' : 'quota = :quota';
        const parameters = quotaId === null ? { now: db.now() } : { quota: Number(quotaId) };
        const sql = `SELECT ${WINDOW_COLUMNS} FROM scopes WHERE ${ofQuota} ORDER BY starts_at_ms DESC, id LIMIT :limit`;
        return db.all(sql, { ...parameters, limit: listLimit(limit) }).map(toQuotaWindow);
      }),
    pruneQuotaWindows: async () =>
      // Looked for before the lock is taken: most of the time there is nothing.
      db.read(() => db.get(`SELECT 1 FROM scopes WHERE ${IS_OVER} LIMIT 1`, { now: db.now() }))
        ? db.write(() => db.run(`DELETE FROM scopes WHERE ${IS_OVER}`, { now: db.now() }))
        : 0,
  };
}

/** The locked windows that a reservation of the run falls into now; those that are not there yet are made. */
export function windowRows(db: Connection, run: number): { readonly row: Row; readonly window: QuotaWindowRow }[] {
  const rows = db.all(
    `SELECT ${QUOTA_COLUMNS}, runs.tenant AS of_tenant, runs.feature AS of_feature FROM runs JOIN quotas ON ${QUOTA_MATCHES} WHERE runs.id = :run`,
    {
      run,
    },
  );
  const [first] = rows;
  if (!first) return [];
  return windowsOf(rows.map(toQuota), String(first.of_tenant), String(first.of_feature), db.now()).map((window) => {
    const { kind, scopeKey, quota, startsAtMs, endsAtMs, keptUntilMs } = window;
    const find = () => db.get('SELECT * FROM scopes WHERE kind = :kind AND scope_key = :scopeKey', { kind, scopeKey });
    const there = find();
    if (there) return { row: there, window };
    db.run(
      `INSERT INTO scopes (kind, scope_key, limit_nano_usd, unit, quota, starts_at_ms, ends_at_ms, kept_until_ms)
       VALUES (:kind, :scopeKey, :limit, :unit, :quota, :startsAtMs, :endsAtMs, :keptUntilMs)`,
      { kind, scopeKey, limit: quota.limit, unit: quota.unit, quota: Number(quota.quotaId), startsAtMs, endsAtMs, keptUntilMs },
    );
    return { row: find() ?? {}, window };
  });
}

function list(db: Connection): QuotaRecord[] {
  return db.all(`SELECT ${QUOTA_COLUMNS} FROM quotas ORDER BY tenant, feature, per, unit`).map(toQuota);
}

function ofRule(db: Connection, { tenant, feature, per, unit }: QuotaRule): QuotaRecord {
  const where = 'tenant = :tenant AND feature = :feature AND per = :per AND unit = :unit';
  return toQuota(db.get(`SELECT ${QUOTA_COLUMNS} FROM quotas WHERE ${where}`, { tenant: tenant ?? '', feature: feature ?? '', per, unit }) ?? {});
}

function upsert(db: Connection, { tenant, feature, per, unit, limit }: QuotaRule, source: QuotaRecord['source']): void {
  db.run(UPSERT_QUOTA, { tenant: tenant ?? '', feature: feature ?? '', per, unit, limit, source, now: db.now() });
  if (integer(db.get('SELECT COUNT(*) AS quotas FROM quotas') ?? {}, 'quotas') > MAX_QUOTAS) throw tooManyQuotas();
}

function sync(db: Connection, rules: readonly QuotaRule[]): void {
  const isOf = (quota: QuotaRule) => (rule: QuotaRule) =>
    rule.tenant === quota.tenant && rule.feature === quota.feature && rule.per === quota.per && rule.unit === quota.unit;
  const known = list(db);
  for (const quota of known)
    if (quota.source === 'config' && !rules.some(isOf(quota))) db.run('DELETE FROM quotas WHERE id = :id', { id: Number(quota.quotaId) });
  for (const rule of rules) if (!known.some((quota) => isOf(quota)(rule) && quota.limit === rule.limit)) upsert(db, rule, 'config');
}

export function tooManyQuotas(): TollgateError {
  return new TollgateError('invalidInput', `The store keeps at most ${MAX_QUOTAS} quotas. Remove some, or set one for each tenant ("*") in place of many.`);
}
