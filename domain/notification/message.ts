import type { JsonValue } from '../../contracts/json.ts';
import type { NotificationEvent } from '../../contracts/notification.ts';
import type { GateRecord } from '../approval/gate.ts';
import type { PendingNotification } from './store-port.ts';

/** What a channel sends, in whatever form. */
export interface NotificationMessage {
  readonly eventId: string;
  readonly event: NotificationEvent;
  readonly atMs: number;
  readonly title: string;
  /** Names and values, in words. */
  readonly facts: readonly (readonly [string, string])[];
  /** The gate's page in the inbox; null where no public URL is set. */
  readonly link: string | null;
  readonly gate: {
    readonly approvalId: string;
    readonly agentRunId: string;
    readonly tenant: string;
    readonly tool: string;
    readonly destination: string;
    readonly status: string;
    readonly role: string;
    readonly requester: string;
    readonly actionDigest: string;
    readonly expiresAt: string;
    readonly arguments?: JsonValue;
  };
}

const TITLES: Readonly<Record<Exclude<NotificationEvent, 'gateDecided'>, string>> = {
  gateOpened: 'waits for approval',
  gateReminder: 'still waits for approval and will expire',
  gateEscalated: 'was passed on and waits for approval',
};

/** Without the arguments' values, unless the channel is allowed to have them. */
export function messageOf(
  { eventId, event, atMs, tenant }: PendingNotification,
  gate: GateRecord,
  { publicUrl, showArguments }: { readonly publicUrl?: string; readonly showArguments: boolean },
): NotificationMessage {
  const expiresAt = new Date(gate.expiresAtMs).toISOString();
  const title = `${gate.tool} ${event === 'gateDecided' ? `is ${gate.status}` : TITLES[event]}`;
  const shown = { tool: gate.tool, destination: gate.destination, status: gate.status, role: gate.policy.role, requester: gate.requester };
  const ids = { approvalId: gate.approvalId, agentRunId: gate.runKey.agentRunId, tenant, actionDigest: gate.actionDigest };
  return {
    eventId,
    event,
    atMs,
    title,
    facts: [
      ['To', gate.destination],
      ['Run', gate.runKey.agentRunId],
      ['Asked by', gate.requester],
      ['Role', gate.policy.role],
      ...(event === 'gateDecided' ? [] : [['Expires', expiresAt] as const]),
      ...(showArguments ? [['Arguments', JSON.stringify(gate.arguments).slice(0, 2_000)] as const] : []),
    ],
    link: publicUrl === undefined ? null : `${publicUrl}/inbox/gates/${encodeURIComponent(gate.approvalId)}`,
    gate: { ...ids, ...shown, expiresAt, ...(showArguments ? { arguments: gate.arguments } : {}) },
  };
}
