import type { AuditChain, AuditChainStore, ChainedAuditRecord } from '../../domain/audit/store-port.ts';
import { integer, listLimit, type Row, text, toAuditRecord } from './rows.ts';
import { SELECT_AUDIT } from './sql.ts';

/** Reads of the audit's chains that are the same in both stores: a statement and its parameters. */

type Filter<Name extends 'listChains' | 'listChain' | 'listUnchained'> = Parameters<AuditChainStore[Name]>[0];
interface Query {
  readonly sql: string;
  readonly parameters: Record<string, string | number>;
}

export function selectChains({ runKey, tenant, after = 0, limit }: Filter<'listChains'>): Query {
  const ofRun = runKey ? 'AND run = (SELECT id FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId)' : '';
  const ofTenant = tenant === undefined ? '' : 'AND tenant = :tenant';
  return {
    sql: `SELECT id, chain FROM audit_heads WHERE id > :after ${ofRun} ${ofTenant} ORDER BY id LIMIT :limit`,
    parameters: { ...(runKey ?? {}), ...(tenant === undefined ? {} : { tenant }), after, limit: listLimit(limit) },
  };
}

export function selectChain({ chain, after = 0, fromMs, toMs, limit }: Filter<'listChain'>): Query {
  const from = fromMs === undefined ? '' : 'AND audit.at_ms >= :fromMs';
  const to = toMs === undefined ? '' : 'AND audit.at_ms < :toMs';
  return {
    sql: `${SELECT_AUDIT} WHERE audit.head = (SELECT id FROM audit_heads WHERE chain = :chain) AND audit.chain_sequence > :after ${from} ${to}
      ORDER BY audit.chain_sequence LIMIT :limit`,
    parameters: { chain, after, ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }), limit: listLimit(limit) },
  };
}

export function selectUnchained({ after = 0, limit }: Filter<'listUnchained'>): Query {
  return {
    sql: `${SELECT_AUDIT} WHERE audit.head IS NULL AND audit.sequence > :after ORDER BY audit.sequence LIMIT :limit`,
    parameters: { after, limit: listLimit(limit) },
  };
}

/** Heads that have grown since they were anchored; one more than fit shows that there are more. */
export const SELECT_TO_ANCHOR = `SELECT id, chain, sequence, hash FROM audit_heads
  WHERE sequence > anchored_sequence AND chain <> :anchors ORDER BY id LIMIT :limit`;
export const MARK_ANCHORED = 'UPDATE audit_heads SET anchored_sequence = :sequence WHERE id = :id';
/** How far rows outside of every chain were taken in: the number that other chains have for what was anchored of them. */
export const SELECT_ADOPTED = 'SELECT anchored_sequence FROM audit_heads WHERE chain = :anchors';
export const MARK_ADOPTED = 'UPDATE audit_heads SET anchored_sequence = :through WHERE chain = :anchors';

export const toChain = (row: Row): AuditChain => ({ position: integer(row, 'id'), chain: text(row, 'chain') });
export const toChained = (row: Row): ChainedAuditRecord => toAuditRecord(row) as ChainedAuditRecord;
