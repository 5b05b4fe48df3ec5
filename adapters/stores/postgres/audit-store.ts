import { ANCHORS_CHAIN, GENESIS } from '../../../domain/audit/chain.ts';
import { type AuditChainStore, MAX_ANCHORED_HEADS } from '../../../domain/audit/store-port.ts';
import type { AuditEntry, AuditRecord, AuditStore } from '../../../domain/store/port.ts';
import { planAnchor } from '../audit-anchor.ts';
import { anchorWritten, type AuditFact } from '../audit-facts.ts';
import { toAuditRow } from '../audit-row.ts';
import { MARK_ADOPTED, SELECT_ADOPTED, SELECT_TO_ANCHOR, selectChain, selectChains, selectUnchained, toChain, toChained } from '../audit-sql.ts';
import { integerOrNull, listLimit, text, toAuditRecord } from '../rows.ts';
import { RUN_ROW, SELECT_AUDIT, SELECT_LAST_RESTORED } from '../sql.ts';
import type { Database, Session } from './database.ts';

/** Any number, the same everywhere: one anchor is written at a time. */
const ANCHOR_LOCK = 7_351_001;

const HASH = (previous: string, sequence: string, atMs: string) =>
  `encode(sha256(convert_to(concat_ws(chr(10), ${previous}, ${sequence}, ${atMs}, :entry::text), 'UTF8')), 'hex')`;
const LATER = 'greatest(head.at_ms, excluded.at_ms)';
/**
 * One way to the server: the row of the chain's head is locked until the commit, moves on, and gives the new row its place.
 * Whoever appends to the same chain waits for it; other chains don't. Time never goes back within a chain.
 */
const APPEND = `
  WITH moment AS MATERIALIZED (SELECT :now AS at_ms),
    grown AS (
      INSERT INTO audit_heads AS head (chain, run, tenant, sequence, previous_hash, hash, at_ms)
      SELECT :chain, runs.id, coalesce(runs.tenant, :tenant), 1, :genesis, ${HASH(':genesis::text', '1', 'moment.at_ms')}, moment.at_ms
      FROM moment LEFT JOIN runs ON runs.id = ${RUN_ROW}
      ON CONFLICT (chain) DO UPDATE SET sequence = head.sequence + 1, previous_hash = head.hash, at_ms = ${LATER},
        hash = ${HASH('head.hash', 'head.sequence + 1', LATER)}
      RETURNING id, run, sequence, previous_hash, hash, at_ms)
  INSERT INTO audit (run, at_ms, type, actor, data_json, head, chain_sequence, previous_hash, hash, data_digest, salt)
  SELECT run, at_ms, :type, :actor, :data, id, sequence, previous_hash, hash, :dataDigest, :salt FROM grown RETURNING hash`;

export function createAuditStore(db: Database): AuditStore {
  return {
    appendAudit: async (entry) => {
      await db.transaction((session) => writeAudit(session, entry));
    },
    lastRestoredAtMs: async () => integerOrNull((await db.get(SELECT_LAST_RESTORED)) ?? {}, 'at_ms'),
    listAudit: async ({ runKey, limit }) => {
      const parameters = { ...runKey, limit: listLimit(limit) };
      const ofRun = runKey ? `WHERE audit.run = ${RUN_ROW}` : '';
      return (await db.all(`${SELECT_AUDIT} ${ofRun} ORDER BY audit.sequence LIMIT :limit`, parameters)).map(toAuditRecord);
    },
    ...chainsOf(db),
  };
}

function chainsOf(db: Database): AuditChainStore {
  const all = ({ sql, parameters }: ReturnType<typeof selectChain>) => db.all(sql, parameters);
  return {
    listChains: async (filter) => (await all(selectChains(filter))).map(toChain),
    listChain: async (filter) => (await all(selectChain(filter))).map(toChained),
    listUnchained: async (filter) => (await all(selectUnchained(filter))).map(toAuditRecord),
    anchorAudit: (seal) => db.transaction((session) => anchor(session, seal)),
  };
}

async function anchor(session: Session, seal: Parameters<AuditChainStore['anchorAudit']>[0]): ReturnType<AuditChainStore['anchorAudit']> {
  await session.all(`SELECT pg_advisory_xact_lock(${ANCHOR_LOCK})`);
  const anchors = ANCHORS_CHAIN;
  const after = integerOrNull((await session.get(SELECT_ADOPTED, { anchors })) ?? {}, 'anchored_sequence') ?? 0;
  const unchained = await toAdopt(session, after);
  const grown = await session.all(SELECT_TO_ANCHOR, { anchors, limit: MAX_ANCHORED_HEADS + 1 });
  const plan = planAnchor(grown, unchained);
  if (!plan) return null;
  const hash = await writeAudit(session, anchorWritten(seal(plan.content)));
  await session.all(
    'UPDATE audit_heads SET anchored_sequence = new.sequence FROM unnest(:ids::bigint[], :sequences::bigint[]) AS new (id, sequence) WHERE audit_heads.id = new.id',
    {
      ids: plan.heads.map(({ id }) => id),
      sequences: plan.heads.map(({ sequence }) => sequence),
    },
  );
  if (plan.content.unchained) await session.all(MARK_ADOPTED, { anchors, through: plan.content.unchained.through });
  return { hash, heads: plan.heads.length, isMore: plan.isMore };
}

/**
 * Rows of no chain after those that were taken in. Their numbers may appear out of order, and what is below the last one taken
 * in never is: where there are any, whoever is writing into the audit is waited for, and they are read again.
 */
async function toAdopt(session: Session, after: number): Promise<AuditRecord[]> {
  const { sql, parameters } = selectUnchained({ after, limit: MAX_ANCHORED_HEADS });
  if (!(await session.get(sql, { ...parameters, limit: 1 }))) return [];
  await session.all('LOCK TABLE audit IN SHARE MODE');
  return (await session.all(sql, parameters)).map(toAuditRecord);
}

/**
 * Appends inside the caller's transaction, as the last thing that it does, at the end of its chain: nobody else appends
 * there until its commit. Answers the row's hash.
 */
export async function writeAudit(session: Session, entry: AuditEntry | AuditFact): Promise<string> {
  const { agentRunId = null, firstExecutionRunId = null } = entry.runKey ?? {};
  const row = await session.get(APPEND, { ...toAuditRow(entry), tenant: entry.tenant, agentRunId, firstExecutionRunId, genesis: GENESIS });
  return text(row ?? {}, 'hash');
}
