import { objectionToPart, type Participant, type PartRefusal } from './delegation.ts';
import type { GateClaim, GateRecord } from './gate-record.ts';

/** After this long a claim is over by itself. */
export const CLAIM_FOR_MS = 600_000;

export type ClaimRefusal = PartRefusal | 'taken' | 'notTaken';

export type ClaimTransition =
  /** `gate` is null where nothing changes. */
  { readonly type: 'accepted'; readonly gate: GateRecord | null } | { readonly type: 'refused'; readonly reason: ClaimRefusal; readonly message: string };

/** Who is looking at a gate at that moment; null where nobody is, or it is over. */
export function claimAt({ claim, status }: Pick<GateRecord, 'claim' | 'status'>, nowMs: number): GateClaim | null {
  return status === 'open' && claim && nowMs < claim.untilMs ? claim : null;
}

/**
 * Lets others see that somebody is looking at a gate, from now on for some minutes. It binds nobody: whoever may decide still may.
 * Taking it again takes it for longer; one that somebody else has is theirs until they release it or it is over. Pure.
 */
export function take(gate: GateRecord, who: Participant & { readonly displayName?: string }, nowMs: number): ClaimTransition {
  const objection = objectionToPart(gate, who, nowMs);
  if (objection) return refused(...objection);
  const held = claimAt(gate, nowMs);
  if (held && held.by !== who.name) return refused('taken', `${held.displayName ?? held.by} is looking at it. You may decide all the same.`);
  const name = who.displayName === undefined ? {} : { displayName: who.displayName };
  return { type: 'accepted', gate: { ...gate, claim: { by: who.name, ...name, untilMs: nowMs + CLAIM_FOR_MS } } };
}

/** Gives a gate back, whatever roles whoever took it holds by then. Releasing what nobody has changes nothing. Pure. */
export function release(gate: GateRecord, name: string, nowMs: number): ClaimTransition {
  const held = claimAt(gate, nowMs);
  if (!held) return { type: 'accepted', gate: null };
  if (held.by !== name) return refused('notTaken', `${held.displayName ?? held.by} is looking at it, and not you.`);
  const { claim: _given, ...rest } = gate;
  return { type: 'accepted', gate: rest };
}

function refused(reason: ClaimRefusal, message: string): ClaimTransition {
  return { type: 'refused', reason, message };
}
