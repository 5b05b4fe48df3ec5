import { expect, test } from 'vitest';
import { anchorAudit } from '../../domain/audit/anchor.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { exported, UNSIGNED, verified } from './store-contract/audit-contract.ts';
import { startRun } from './store-contract/fixtures.ts';

/** A store as a Tollgate from before the audit's chains left it. */
export interface OldStore {
  /** Runs SQL in it as it was then. */
  write(sql: string): Promise<unknown>;
  /** Migrates it, and opens it as it is now. */
  upgrade(): Promise<Store>;
  remove(): Promise<void>;
}

const RUN: RunKey = { agentRunId: 'old-run' as RunKey['agentRunId'], firstExecutionRunId: 'old-execution' };
const OLD_ROWS = `
  INSERT INTO runs (agent_run_id, first_execution_run_id, task, tenant, feature, requester, snapshot_digest, started_at_ms, status, parents_json)
    VALUES ('old-run', 'old-execution', 'support', 'acme', 'chat', 'alice', 'digest', 1, 'running', '[]');
  INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES ((SELECT id FROM runs), 1, 'decision.accepted', 'alice', '{"approvalId":"g1"}');
  INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES (NULL, 2, 'quota.set', 'op', '{"limit":5}');
  INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES ((SELECT id FROM runs), 3, 'decision.refused', 'eve', '{"reason":"wrongRole"}');`;

type Line = Record<string, unknown> & { readonly unchained?: { readonly type: string; readonly actor: string } };
const isOld = (type: string) => (line: Line) => line.unchained?.type === type;

/** What holds of a record that was begun before it was chained. */
export function testAuditUpgrade(openOld: () => Promise<OldStore>): void {
  test('the audit of an earlier schema is migrated whole, verifies, and verification says what proves it and what does not yet', async () => {
    const old = await openOld();
    await old.write(OLD_ROWS);
    const store = await old.upgrade();
    try {
      const fresh = await exported(store);
      expect(fresh.flatMap((line) => (line as Line).unchained?.type ?? [])).toEqual(['decision.accepted', 'quota.set', 'decision.refused']);
      expect(verified(fresh)).toMatchObject({ isIntact: true, rows: 3, chains: 0, unproven: 3, adopted: 0, findings: [] });

      // The run goes on: what it does from now on is chained.
      await store.appendAudit({ type: 'decision.accepted', runKey: RUN, actor: 'bob', data: { approvalId: 'g2' } });
      await startRun(store, { tenant: 'acme' });
      expect(verified(await exported(store))).toMatchObject({ isIntact: true, rows: 5, chains: 2, unproven: 3 });
      await anchorAudit(store, UNSIGNED, 5);
      const lines = (await exported(store)) as Line[];
      expect(verified(lines)).toMatchObject({ isIntact: true, rows: 6, chains: 3, anchors: 1, unproven: 0, adopted: 3, findings: [] });

      const forged = lines.map((line) => (isOld('decision.refused')(line) ? { unchained: { ...line.unchained, actor: 'alice' } } : line));
      expect(verified(forged)).toMatchObject({ isIntact: false });
      expect(verified(lines.filter((line) => !isOld('quota.set')(line)))).toMatchObject({ isIntact: false });
      // An older worker beside this version still writes into no chain: it is said, and proven by the next anchor.
      await old.write(`INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES (NULL, 9, 'late', 'old', '{}')`);
      expect(verified(await exported(store))).toMatchObject({ isIntact: true, unproven: 1 });
      await anchorAudit(store, UNSIGNED, 5);
      expect(verified(await exported(store))).toMatchObject({ isIntact: true, unproven: 0, adopted: 4, anchors: 2 });
      // Of one run, what came before its chain is not in it.
      expect(verified(await exported(store, { runKey: RUN }))).toMatchObject({ isIntact: true, unproven: 0 });
    } finally {
      await store.close();
      await old.remove();
    }
  });
}
