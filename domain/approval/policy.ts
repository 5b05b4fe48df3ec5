import type { GateKind, GatePolicy } from '../../contracts/approval.ts';
import type { PolicyRule } from '../../contracts/gate-policy.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { TaskDefinition, ToolDefinition } from '../../contracts/task.ts';
import { allHold, type Truth } from './conditions.ts';
import { quorumsOf } from './quorum.ts';

/** What a gate is about, as rules look at it. */
export interface PolicySubject {
  readonly tool: string;
  readonly tenant: string;
  readonly arguments: JsonValue;
}

/** What a policy comes to for one action. */
export interface AskedPolicy {
  /** Without rules. */
  readonly policy: GatePolicy;
  /** With the rules that are only tried out; null where those change nothing. */
  readonly tried: GatePolicy | null;
}

/** The policy of a gate as it is written: the tool's own, else the task's for the kind, else the task's for irreversible actions. */
export function policyFor(task: TaskDefinition, kind: GateKind, tool: ToolDefinition | null): GatePolicy {
  switch (kind) {
    case 'action':
      return tool?.gate ?? task.gates.irreversible;
    case 'inDoubt':
      return task.gates.inDoubt ?? tool?.gate ?? task.gates.irreversible;
    case 'budget':
      return task.gates.budget ?? task.gates.irreversible;
    case 'unavailable':
      return task.gates.unavailable ?? task.gates.irreversible;
  }
}

/** Applies the rules of a policy to an action. Rules that are only tried out change nothing: somebody is always asked. */
export function askedOf(policy: GatePolicy, subject: PolicySubject): AskedPolicy {
  const { rules = [], ...base } = policy;
  const enforced = applyRules(
    base,
    rules.filter((rule) => !rule.shadow),
    subject,
  );
  const tried = applyRules(base, rules, subject);
  return { policy: enforced, tried: isSame(tried, enforced) ? null : tried };
}

/** What several policies for the same action come to together: all that any of them asks. */
export function together(first: AskedPolicy, others: readonly AskedPolicy[]): AskedPolicy {
  return others.reduce((sum, other) => ({ policy: strictest(sum.policy, other.policy), tried: sum.tried ?? other.tried }), first);
}

function applyRules(base: GatePolicy, rules: readonly PolicyRule[], subject: PolicySubject): GatePolicy {
  return rules.reduce((policy, rule) => applyRule(policy, rule, appliesTo(rule, subject)), base);
}

/** A rule of which nobody can tell whether it applies may ask for more, never for less. */
function applyRule(policy: GatePolicy, { when: _when, shadow: _shadow, ...rule }: PolicyRule, applies: Truth): GatePolicy {
  if (applies === 'no') return policy;
  const { approvers = policy.approvers, role = policy.role, ...change } = rule;
  const { expiresAfterMs = policy.expiresAfterMs, approvalValidForMs = policy.approvalValidForMs } = rule;
  const changed = { ...policy, ...change, approvers, role, expiresAfterMs, approvalValidForMs };
  return applies === 'yes' ? changed : strictest(policy, changed);
}

function appliesTo({ when }: PolicyRule, { tool, tenant, arguments: args }: PolicySubject): Truth {
  if (when.tool !== undefined && when.tool !== tool) return 'no';
  if (when.tenant !== undefined && when.tenant !== tenant) return 'no';
  return allHold(when.arguments ?? [], args);
}

/** A policy that asks for all that either of two asks. */
export function strictest(one: GatePolicy, other: GatePolicy): GatePolicy {
  const { needs: _needs, limits: _limits, escalateTo: _escalate, requesterMayDecide: _may, remindBeforeMs: _remind, ...rest } = one;
  const counts = new Map(countByRole(one));
  for (const [role, approvers] of countByRole(other)) counts.set(role, Math.max(approvers, counts.get(role) ?? 0));
  const needs = [...counts].filter(([role]) => role !== one.role).map(([role, approvers]) => ({ role, approvers }));
  const limits = [...(one.limits ?? []), ...(other.limits ?? []).filter((limit) => !one.limits?.some((known) => isSame(known, limit)))];
  const remindBeforeMs = one.remindBeforeMs ?? other.remindBeforeMs;
  const requesterMayDecide = bothLet(one.requesterMayDecide, other.requesterMayDecide);
  const escalateTo = laterEscalation(one.escalateTo, other.escalateTo);
  return {
    ...rest,
    approvers: counts.get(one.role) ?? 1,
    expiresAfterMs: Math.min(one.expiresAfterMs, other.expiresAfterMs),
    approvalValidForMs: Math.min(one.approvalValidForMs, other.approvalValidForMs),
    ...(needs.length > 0 ? { needs } : {}),
    ...(limits.length > 0 ? { limits } : {}),
    ...(escalateTo ? { escalateTo } : {}),
    ...(remindBeforeMs === undefined ? {} : { remindBeforeMs }),
    ...(requesterMayDecide === undefined ? {} : { requesterMayDecide }),
    ...(one.standing === false || other.standing === false ? { standing: false } : {}),
  };
}

function countByRole(policy: GatePolicy): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { role, approvers } of quorumsOf(policy)) counts.set(role, (counts.get(role) ?? 0) + approvers);
  return counts;
}

function bothLet(one: boolean | undefined, other: boolean | undefined): boolean | undefined {
  if (one === false || other === false) return false;
  return one === undefined || other === undefined ? undefined : true;
}

type Escalation = GatePolicy['escalateTo'];

function laterEscalation(one: Escalation, other: Escalation): Escalation {
  if (!one || !other || one.role !== other.role) return undefined;
  return one.afterMs >= other.afterMs ? one : other;
}

/** Whether `now` asks for anything that `before` did not, so that an approval under `before` no longer covers the action. */
export function isStricter(now: GatePolicy, before: GatePolicy, requesterMayDecideByDefault = true): boolean {
  const counts = countByRole(before);
  const asksMore = [...countByRole(now)].some(([role, approvers]) => approvers > (counts.get(role) ?? 0));
  const limitsMore = (now.limits ?? []).some((limit) => !before.limits?.some((known) => isSame(known, limit)));
  const mayNow = now.requesterMayDecide ?? requesterMayDecideByDefault;
  const mightBefore = before.requesterMayDecide ?? requesterMayDecideByDefault;
  return asksMore || limitsMore || (mightBefore && !mayNow) || now.approvalValidForMs < before.approvalValidForMs || escalatesLess(now, before);
}

function escalatesLess({ escalateTo: now }: GatePolicy, { escalateTo: before }: GatePolicy): boolean {
  return before !== undefined && (now === undefined || now.role !== before.role || now.afterMs > before.afterMs);
}

/** Both are plain data that came out of the same schema, with their fields in the same order. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The arguments that bind an approval: all but those declared volatile. */
export function bindingArguments<T>(args: Readonly<Record<string, T>>, volatile: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !volatile.includes(name)));
}
