import type { NotificationEvent } from '../../contracts/notification.ts';
import type { GateRecord } from '../approval/gate.ts';
import type { GateStore } from '../store/port.ts';
import { messageOf, type NotificationMessage } from './message.ts';
import type { DeliveryState, NotificationStore, PendingNotification } from './store-port.ts';

export type SendResult = { readonly type: 'sent' } | { readonly type: 'failed'; readonly isFinal: boolean; readonly reason: string };

/** Somewhere that people are told. Never throws; ends within `SEND_TIMEOUT_MS`. */
export interface Notifier {
  readonly name: string;
  readonly tenants?: readonly string[];
  readonly roles?: readonly string[];
  readonly events: readonly NotificationEvent[];
  readonly showArguments: boolean;
  send(message: NotificationMessage): Promise<SendResult>;
}

export interface DeliveryPorts {
  readonly store: NotificationStore & Pick<GateStore, 'getGate'>;
  readonly notifiers: readonly Notifier[];
  readonly publicUrl?: string;
}

export const SEND_TIMEOUT_MS = 10_000;
/** Longer than every channel takes, since they are told at once. */
const LEASE_MS = 60_000;
const BATCH = 20;
const MAX_BATCHES = 10;
/** After about a day and a half. */
export const MAX_TRIES = 12;
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 6 * 3_600_000;

/** One pass over what is due, at most some hundred. Answers how many were told everywhere, and how many were given up. */
export async function deliverNotifications(ports: DeliveryPorts): Promise<{ readonly done: number; readonly dead: number }> {
  const count = { done: 0, dead: 0 };
  await ports.store.remindOfGates(BATCH * MAX_BATCHES);
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const due = await ports.store.claimNotifications({ limit: BATCH, leaseMs: LEASE_MS });
    const statuses = await Promise.all(due.map((notification) => deliverOne(ports, notification)));
    for (const status of statuses) if (status !== 'pending') count[status] += 1;
    if (due.length < BATCH) break;
  }
  return count;
}

async function deliverOne({ store, notifiers, publicUrl }: DeliveryPorts, notification: PendingNotification): Promise<'done' | 'dead' | 'pending'> {
  const { eventId, tries } = notification;
  const gate = await store.getGate(notification.runKey, notification.approvalId);
  const open = gate && isNews(notification, gate) ? notifiers.filter((notifier) => isFor(notifier, notification, gate)) : [];
  const left = open.filter(({ name }) => !notification.state.delivered.includes(name) && !(name in notification.state.dead));
  const results = gate ? await Promise.all(left.map(async (notifier) => [notifier.name, await told(notifier, notification, gate, publicUrl)] as const)) : [];
  const isLast = tries >= MAX_TRIES;
  const state = after(notification.state, results, isLast);
  const failed = results.filter(([name, result]) => result.type === 'failed' && !(name in state.dead));
  const status = failed.length > 0 ? 'pending' : Object.keys(state.dead).length > 0 ? 'dead' : 'done';
  const lastError = results.flatMap(([name, result]) => (result.type === 'failed' ? [`${name}: ${result.reason}`] : [])).join('; ') || null;
  await store.reportDelivery(eventId, tries, { state, status, retryAfterMs: retryAfterMs(tries), lastError });
  return status;
}

/** Nobody is asked to decide what is decided. */
function isNews({ event }: PendingNotification, gate: GateRecord): boolean {
  return event === 'gateDecided' || gate.status === 'open';
}

function isFor({ tenants, roles, events }: Notifier, { event, tenant }: PendingNotification, gate: GateRecord): boolean {
  const asked = rolesOf(gate);
  return events.includes(event) && (tenants?.includes(tenant) ?? true) && (roles?.some((role) => asked.includes(role)) ?? true);
}

/** Every role that the gate's policy names, also those it is passed on to once it has been. */
function rolesOf({ policy, escalatedAtMs }: GateRecord): readonly string[] {
  const escalated = escalatedAtMs !== undefined && policy.escalateTo ? [policy.escalateTo.role] : [];
  return [policy.role, ...(policy.needs ?? []).map(({ role }) => role), ...escalated];
}

async function told(notifier: Notifier, notification: PendingNotification, gate: GateRecord, publicUrl: string | undefined): Promise<SendResult> {
  const message = messageOf(notification, gate, { ...(publicUrl === undefined ? {} : { publicUrl }), showArguments: notifier.showArguments });
  return await notifier.send(message);
}

function after({ delivered, dead }: DeliveryState, results: readonly (readonly [string, SendResult])[], isLast: boolean): DeliveryState {
  const sent = results.flatMap(([name, result]) => (result.type === 'sent' ? [name] : []));
  const given = results.flatMap(([name, result]) => (result.type === 'failed' && (result.isFinal || isLast) ? [[name, result.reason] as const] : []));
  return { delivered: [...delivered, ...sent], dead: { ...dead, ...Object.fromEntries(given) } };
}

/** 5 s, 10 s, 20 s … at most six hours. */
export function retryAfterMs(tries: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (tries - 1));
}
