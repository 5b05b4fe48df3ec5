import { TollgateError } from '../../../contracts/failures.ts';
import type { QuotaRule } from '../../../contracts/quota.ts';
import { MAX_QUOTAS } from '../../../domain/quota/quota.ts';
import type { QuotaRecord, QuotaStore } from '../../../domain/quota/store-port.ts';
import type { QuotaWindowRow } from '../reservation.ts';
import { integer, listLimit, type Row, toQuota, toQuotaWindow } from '../rows.ts';
import { QUOTA_COLUMNS, UPSERT_QUOTA, WINDOW_COLUMNS } from '../sql.ts';
import type { Database, Session } from './database.ts';

/** Any number, the same everywhere: quotas are changed one process at a time, so that their number can be counted. */
const QUOTA_LOCK = 7_351_001;

export function createQuotaStore(db: Database): QuotaStore {
  return {
    setQuota: (rule, source) =>
      db.transaction(async (session) => {
        await lockQuotas(session);
        await upsert(session, rule, source);
        return await ofRule(session, rule);
      }),
    syncQuotas: (rules) => db.transaction((session) => sync(session, rules)),
    removeQuota: async (quotaId) => {
      const row = await db.get(`DELETE FROM quotas WHERE id = :id RETURNING ${QUOTA_COLUMNS}`, { id: Number(quotaId) });
      return row ? toQuota(row) : null;
    },
    listQuotas: () => list(db),
    listQuotaWindows: async ({ quotaId, limit }) => {
      const ofQuota = quotaId === null ? 'quota IN (SELECT id FROM quotas) AND starts_at_ms <= :now AND ends_at_ms > :now' : 'quota = :quota::bigint';
      const sql = `SELECT ${WINDOW_COLUMNS} FROM scopes WHERE ${ofQuota} ORDER BY starts_at_ms DESC, id LIMIT :limit`;
      return (await db.all(sql, { ...(quotaId === null ? {} : { quota: Number(quotaId) }), limit: listLimit(limit) })).map(toQuotaWindow);
    },
    // One that a late charge is being written to is left for the next time.
    pruneQuotaWindows: async () =>
      (await db.all('DELETE FROM scopes WHERE id IN (SELECT id FROM scopes WHERE kept_until_ms < :now LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING id')).length,
  };
}

/** The locked windows that a reservation falls into; those that are not there yet are made. In the order given, which is everybody's. */
export async function lockWindows(session: Session, windows: readonly QuotaWindowRow[], columns: string): Promise<readonly Row[]> {
  return await session.all(
    `INSERT INTO scopes (kind, scope_key, limit_nano_usd, unit, quota, starts_at_ms, ends_at_ms, kept_until_ms)
     SELECT kind, scope_key, limit_amount, unit, quota, starts_at_ms, ends_at_ms, kept_until_ms
     FROM unnest(:kinds::text[], :keys::text[], :limits::bigint[], :units::text[], :quotas::bigint[], :starts::bigint[], :ends::bigint[], :kept::bigint[])
       WITH ORDINALITY AS new (kind, scope_key, limit_amount, unit, quota, starts_at_ms, ends_at_ms, kept_until_ms, place) ORDER BY place
     ON CONFLICT (kind, scope_key) DO UPDATE SET limit_nano_usd = excluded.limit_nano_usd RETURNING ${columns}`,
    {
      kinds: windows.map(({ kind }) => kind),
      keys: windows.map(({ scopeKey }) => scopeKey),
      limits: windows.map(({ quota }) => quota.limit),
      units: windows.map(({ quota }) => quota.unit),
      quotas: windows.map(({ quota }) => Number(quota.quotaId)),
      starts: windows.map(({ startsAtMs }) => startsAtMs),
      ends: windows.map(({ endsAtMs }) => endsAtMs),
      kept: windows.map(({ keptUntilMs }) => keptUntilMs),
    },
  );
}

async function list(session: Session): Promise<QuotaRecord[]> {
  return (await session.all(`SELECT ${QUOTA_COLUMNS} FROM quotas ORDER BY tenant, feature, per, unit`)).map(toQuota);
}

async function ofRule(session: Session, { tenant, feature, per, unit }: QuotaRule): Promise<QuotaRecord> {
  const where = 'tenant = :tenant AND feature = :feature AND per = :per AND unit = :unit';
  return toQuota((await session.get(`SELECT ${QUOTA_COLUMNS} FROM quotas WHERE ${where}`, { tenant: tenant ?? '', feature: feature ?? '', per, unit })) ?? {});
}

async function lockQuotas(session: Session): Promise<void> {
  await session.all(`SELECT pg_advisory_xact_lock(${QUOTA_LOCK})`);
}

async function upsert(session: Session, { tenant, feature, per, unit, limit }: QuotaRule, source: QuotaRecord['source']): Promise<void> {
  await session.all(UPSERT_QUOTA, { tenant: tenant ?? '', feature: feature ?? '', per, unit, limit, source });
  if (integer((await session.get('SELECT COUNT(*) AS quotas FROM quotas')) ?? {}, 'quotas') <= MAX_QUOTAS) return;
  throw new TollgateError('invalidInput', `The store keeps at most ${MAX_QUOTAS} quotas. Remove some, or set one for each tenant ("*") in place of many.`);
}

async function sync(session: Session, rules: readonly QuotaRule[]): Promise<void> {
  await lockQuotas(session);
  const isOf = (quota: QuotaRule) => (rule: QuotaRule) =>
    rule.tenant === quota.tenant && rule.feature === quota.feature && rule.per === quota.per && rule.unit === quota.unit;
  const known = await list(session);
  for (const quota of known)
    if (quota.source === 'config' && !rules.some(isOf(quota))) await session.all('DELETE FROM quotas WHERE id = :id', { id: Number(quota.quotaId) });
  for (const rule of rules) if (!known.some((quota) => isOf(quota)(rule) && quota.limit === rule.limit)) await upsert(session, rule, 'config');
}
