import type { NotificationEvent } from '../../contracts/notification.ts';
import type { GateRecord } from '../approval/gate.ts';

/** What people are told of a change of a gate's row; `before` is null where it was opened. */
export function eventsOf(before: GateRecord | null, after: GateRecord): readonly NotificationEvent[] {
  if (before === null) return after.status === 'open' ? ['gateOpened'] : [];
  const events: NotificationEvent[] = [];
  if (before.escalatedAtMs === undefined && after.escalatedAtMs !== undefined) events.push('gateEscalated');
  if (before.remindedAtMs === undefined && after.remindedAtMs !== undefined) events.push('gateReminder');
  if (before.status === 'open' && after.status !== 'open') events.push('gateDecided');
  return events;
}
