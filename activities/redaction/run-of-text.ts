import type { RunKey } from '../../contracts/ids.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import { loadRunFacts, loadSnapshot, type RunFacts } from '../agent-run/snapshot.ts';
import type { RunOfText } from './run-redaction.ts';

/** Whose text it is, for policy. @throws TollgateError `journalMissing`, `snapshotMissing`. */
export async function runOfText(store: Store, runKey: RunKey): Promise<RunOfText> {
  const facts = await loadRunFacts(store, runKey);
  return toRunOfText(runKey, facts, await loadSnapshot(store, facts.snapshotDigest));
}

export function toRunOfText(runKey: RunKey, { tenant, feature }: Pick<RunFacts, 'tenant' | 'feature'>, { task }: TaskSnapshot): RunOfText {
  return { runKey, tenant, feature, ...(task.redaction ? { task: task.redaction } : {}) };
}
