import type { ApprovalId, RunKey } from '../../contracts/ids.ts';
import type { NotificationEvent } from '../../contracts/notification.ts';

/** What a person is to be told, until every channel has it. */
export interface PendingNotification {
  /** The same at every try: receivers tell a repetition by it. */
  readonly eventId: string;
  readonly event: NotificationEvent;
  readonly runKey: RunKey;
  readonly tenant: string;
  readonly approvalId: ApprovalId;
  readonly atMs: number;
  /** This try is the how manieth. */
  readonly tries: number;
  readonly state: DeliveryState;
}

/** By channel: delivered, or given up with the reason. */
export interface DeliveryState {
  readonly delivered: readonly string[];
  readonly dead: Readonly<Record<string, string>>;
}

export interface DeliveryReport {
  readonly state: DeliveryState;
  readonly status: 'pending' | 'done' | 'dead';
  /** For `pending`: how long until the next try. */
  readonly retryAfterMs: number;
  readonly lastError: string | null;
}

export interface DeadNotification {
  readonly eventId: string;
  readonly approvalId: string;
  readonly dead: Readonly<Record<string, string>>;
}

/** Rows are written by the store itself, in the transaction that opens or changes a gate. */
export interface NotificationStore {
  /** Takes what is due, oldest first, for `leaseMs`: until then nobody else has it. */
  claimNotifications(options: { readonly limit: number; readonly leaseMs: number }): Promise<readonly PendingNotification[]>;
  /** Counts only where the lease is still ours, which `tries` tells. */
  reportDelivery(eventId: string, tries: number, report: DeliveryReport): Promise<void>;
  /** Writes the reminders that are due of open gates which nobody reminded of: each once. Answers how many. */
  remindOfGates(limit: number): Promise<number>;
  /** Removes what was delivered before this moment. */
  pruneNotifications(beforeMs: number): Promise<void>;
  countNotifications(): Promise<{
    readonly pending: number;
    readonly dead: number;
    readonly oldestPendingAtMs: number | null;
    readonly someDead: readonly DeadNotification[];
  }>;
}
