import { TollgateError } from '../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { MoneyMove } from '../../domain/budget/held-store-port.ts';
import type { LedgerEvent } from '../../domain/budget/ledger.ts';
import type { AttemptRecord, AuditEntry } from '../../domain/store/port.ts';

/** @throws TollgateError `invalidInput` where a write-off has no reason. */
export function demandReason(event: LedgerEvent, by: MoneyMove | undefined): void {
  if (event.type === 'writeOff' && !by?.reason?.trim()) throw new TollgateError('invalidInput', 'A write-off needs a reason.');
}

/** What the audit keeps of a move that changed something. */
export function auditOfMove(runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, { actor, reason }: MoneyMove): AuditEntry {
  const type = event.type === 'writeOff' ? 'ledger.writtenOff' : 'ledger.reconciled';
  return { type, runKey, actor, data: { attemptId, event: { ...event }, ...(reason === undefined ? {} : { reason }) } };
}

/** Whether a report changed what is known of an attempt. The same again is no news. */
export function isNews(before: AttemptRecord, after: AttemptRecord): boolean {
  return before.outcome === null || before.money.status !== after.money.status || (before.reply === null && after.reply !== null);
}
