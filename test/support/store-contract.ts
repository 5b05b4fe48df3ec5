import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../domain/store/port.ts';
import { describeApiKeyContract } from './store-contract/api-key-contract.ts';
import { describeAuditContract } from './store-contract/audit-contract.ts';
import { describeBreakerContract } from './store-contract/breaker-contract.ts';
import { describeContentContract } from './store-contract/content-contract.ts';
import { describeEndedSessionContract } from './store-contract/ended-session-contract.ts';
import { describeErasureContract } from './store-contract/erasure-contract.ts';
import { describeFeedbackContract } from './store-contract/feedback-contract.ts';
import { describeGateContract } from './store-contract/gate-contract.ts';
import { describeGrantContract, describeStopContract } from './store-contract/grant-contract.ts';
import { describeKeyContract } from './store-contract/key-contract.ts';
import { describeHeldContract, describeHeldInterleavings } from './store-contract/held-contract.ts';
import { describeOverviewContract } from './store-contract/overview-contract.ts';
import { describeLedgerContract } from './store-contract/ledger-contract.ts';
import { describeNotificationContract } from './store-contract/notification-contract.ts';
import { describeQuotaContract } from './store-contract/quota-contract.ts';
import { describeRepairContract } from './store-contract/repair-contract.ts';
import { describeReportContract } from './store-contract/report-contract.ts';
import { describeRunContract } from './store-contract/run-contract.ts';
import { describeToolCallContract } from './store-contract/tool-call-contract.ts';
import { describeTraceContract } from './store-contract/trace-contract.ts';
import { describeVaultContract } from './store-contract/vault-contract.ts';

/** An opened store and what its tests need around it. */
export interface StoreHarness {
  readonly store: Store;
  /** A second connection to the same data, as another process has it. */
  readonly another: () => Promise<Store>;
  readonly remove: () => Promise<void>;
}

export type OpenStoreHarness = (now: () => number) => Promise<StoreHarness>;

/** What a contract test works with. `clock.nowMs` is the store's time; tests move it. */
export interface StoreSubject extends StoreHarness {
  readonly clock: { nowMs: number };
}

export type Subject = () => StoreSubject;

/** The tests that every store must pass. */
export function describeStoreContract(name: string, openStore: OpenStoreHarness): void {
  describe(name, () => {
    let subject: StoreSubject | null = null;
    beforeEach(async () => {
      const clock = { nowMs: 1_800_000_000_000 };
      subject = { ...(await openStore(() => clock.nowMs)), clock };
    });
    afterEach(async () => {
      await subject?.store.close();
      await subject?.remove();
      subject = null;
    });
    const current = (): StoreSubject => {
      if (!subject) throw new Error('the store is not open');
      return subject;
    };
    describeRunContract(current);
    describeRepairContract(current);
    describeContentContract(current);
    describeLedgerContract(current);
    describeToolCallContract(current);
    describeGateContract(current);
    describeStopContract(current);
    describeGrantContract(current);
    describeAuditContract(current);
    describeApiKeyContract(current);
    describeEndedSessionContract(current);
    describeKeyContract(current);
    describeHeldContract(current);
    describeHeldInterleavings(current);
    describeQuotaContract(current);
    describeBreakerContract(current);
    describeErasureContract(current);
    describeVaultContract(current);
    describeNotificationContract(current);
    describeOverviewContract(current);
    describeTraceContract(current);
    describeFeedbackContract(current);
    describeReportContract(current);
  });
}
