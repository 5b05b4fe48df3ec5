import { ANCHORS_CHAIN, GENESIS, linkText } from '../../../domain/audit/chain.ts';
import { type AuditChainStore, MAX_ANCHORED_HEADS } from '../../../domain/audit/store-port.ts';
import type { AuditEntry, AuditStore } from '../../../domain/store/port.ts';
import { planAnchor } from '../audit-anchor.ts';
import { anchorWritten, type AuditFact } from '../audit-facts.ts';
import { type AuditRow, sha256, toAuditRow } from '../audit-row.ts';
import { MARK_ADOPTED, MARK_ANCHORED, SELECT_ADOPTED, SELECT_TO_ANCHOR, selectChain, selectChains, selectUnchained, toChain, toChained } from '../audit-sql.ts';
import { integer, integerOrNull, listLimit, text, toAuditRecord } from '../rows.ts';
import { SELECT_AUDIT, SELECT_LAST_RESTORED } from '../sql.ts';
import type { Connection } from './connection.ts';
import { findRunRow } from './run-store.ts';

export function createAuditStore(db: Connection): AuditStore {
  return {
    appendAudit: async (entry) => {
      await db.write(() => writeAudit(db, entry));
    },
    lastRestoredAtMs: async () => integerOrNull(db.read(() => db.get(SELECT_LAST_RESTORED)) ?? {}, 'at_ms'),
    listAudit: async ({ runKey, limit }) =>
      db.read(() =>
        db
          .all(`${SELECT_AUDIT} ${runKey ? 'WHERE audit.run = :run' : ''} ORDER BY audit.sequence LIMIT :limit`, {
            limit: listLimit(limit),
            ...(runKey ? { run: findRunRow(db, runKey) ?? -1 } : {}),
          })
          .map(toAuditRecord),
      ),
    ...chainsOf(db),
  };
}

function chainsOf(db: Connection): AuditChainStore {
  const all = ({ sql, parameters }: ReturnType<typeof selectChain>) => db.read(() => db.all(sql, parameters));
  return {
    listChains: async (filter) => all(selectChains(filter)).map(toChain),
    listChain: async (filter) => all(selectChain(filter)).map(toChained),
    listUnchained: async (filter) => all(selectUnchained(filter)).map(toAuditRecord),
    anchorAudit: async (seal) => db.write(() => anchor(db, seal)),
  };
}

function anchor(db: Connection, seal: Parameters<AuditChainStore['anchorAudit']>[0]): Awaited<ReturnType<AuditChainStore['anchorAudit']>> {
  const anchors = ANCHORS_CHAIN;
  const after = integerOrNull(db.get(SELECT_ADOPTED, { anchors }) ?? {}, 'anchored_sequence') ?? 0;
  const unchained = selectUnchained({ after, limit: MAX_ANCHORED_HEADS });
  const grown = db.all(SELECT_TO_ANCHOR, { anchors, limit: MAX_ANCHORED_HEADS + 1 });
  const plan = planAnchor(grown, db.all(unchained.sql, unchained.parameters).map(toAuditRecord));
  if (!plan) return null;
  const hash = writeAudit(db, anchorWritten(seal(plan.content)));
  for (const head of plan.heads) db.run(MARK_ANCHORED, head);
  if (plan.content.unchained) db.run(MARK_ADOPTED, { anchors, through: plan.content.unchained.through });
  return { hash, heads: plan.heads.length, isMore: plan.isMore };
}

/** Appends inside the caller's transaction, at the end of its chain; answers its hash. */
export function writeAudit(db: Connection, entry: AuditEntry | AuditFact): string {
  const row = toAuditRow(entry);
  const link = grow(db, row, entry);
  db.run(
    `INSERT INTO audit (run, at_ms, type, actor, data_json, head, chain_sequence, previous_hash, hash, data_digest, salt)
     VALUES (:run, :atMs, :type, :actor, :data, :head, :sequence, :previousHash, :hash, :dataDigest, :salt)`,
    { type: row.type, actor: row.actor, data: row.data, dataDigest: row.dataDigest, salt: row.salt, ...link },
  );
  return link.hash;
}

/** Moves the head of the row's chain on, or begins one. Time never goes back within a chain. */
function grow(db: Connection, { chain, entry }: AuditRow, { runKey, tenant }: AuditEntry) {
  const head = db.get('SELECT id, run, sequence, hash, at_ms FROM audit_heads WHERE chain = :chain', { chain });
  const previousHash = head ? text(head, 'hash') : GENESIS;
  const sequence = head ? integer(head, 'sequence') + 1 : 1;
  const atMs = Math.max(db.now(), head ? integer(head, 'at_ms') : 0);
  const hash = sha256(linkText(previousHash, sequence, atMs, entry));
  const moved = { sequence, previousHash, hash, atMs };
  if (head) {
    const id = integer(head, 'id');
    db.run('UPDATE audit_heads SET sequence = :sequence, previous_hash = :previousHash, hash = :hash, at_ms = :atMs WHERE id = :id', { id, ...moved });
    return { head: id, run: integerOrNull(head, 'run'), ...moved };
  }
  const run = runKey ? findRunRow(db, runKey) : null;
  const begun = db.get(
    `INSERT INTO audit_heads (chain, run, tenant, sequence, previous_hash, hash, at_ms)
     VALUES (:chain, :run, coalesce((SELECT tenant FROM runs WHERE id = :run), :tenant), :sequence, :previousHash, :hash, :atMs) RETURNING id`,
    { chain, run, tenant: tenant ?? null, ...moved },
  );
  return { head: integer(begun ?? {}, 'id'), run, ...moved };
}
