import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { GatePolicy } from '../../contracts/approval.ts';
import type { Condition, SignedStatement, StandingGrant, StandingTerms } from '../../contracts/statement.ts';
import { microAmount } from './amount.ts';
import { holdsRole } from './gate.ts';

/** A standing approval as stored. What it permits is what its grants sign, never what the row says. */
export interface StandingRecord {
  readonly standingId: string;
  readonly terms: StandingTerms;
  readonly grants: readonly SignedStatement[];
  readonly createdAtMs: number;
}

/** What is used of it, counted from the rows of its uses. */
export interface StandingUse {
  readonly uses: number;
  /** Of the terms' total, in millionths. */
  readonly totalMicro: number;
}

/** A standing approval under the lock of the transaction that uses it. */
export interface StandingState extends StandingUse {
  readonly record: StandingRecord;
  readonly isRevoked: boolean;
}

/** Names the standing approval that a gate was opened and approved under. */
export interface StandingReference {
  readonly standingId: string;
  readonly grantedBy: readonly string[];
}

/** An action as a standing approval looks at it; values in place of tokens. */
export interface CoveredAction {
  readonly tool: string;
  readonly tenant: string;
  readonly task: string;
  readonly destination: string;
  readonly arguments: JsonObject;
  /** Arguments that bind no approval anyway. */
  readonly volatile: readonly string[];
  /** How often the run has done exactly this already. */
  readonly occurrence: number;
  readonly requester: string;
}

export type Coverage = { readonly type: 'covered'; readonly amountMicro: number } | { readonly type: 'notCovered'; readonly why: string };

/**
 * Whether an action is one that the terms speak of. Everything that is not said counts against it: an argument that no
 * condition, no total and no `free` names, a repetition of what the run has done already, an amount that can't be counted.
 */
export function coverageOf(terms: StandingTerms, action: CoveredAction): Coverage {
  const not = (why: string): Coverage => ({ type: 'notCovered', why });
  if (terms.tool !== action.tool) return not('another tool');
  if (terms.tenant !== action.tenant) return not('another tenant');
  if (terms.task !== undefined && terms.task !== action.task) return not('another task');
  if (terms.destination !== undefined && terms.destination !== action.destination) return not('another destination');
  if (action.occurrence > 0) return not('the run has done exactly this before');
  const unsaid = Object.keys(action.arguments).find((argument) => !isSpokenOf(terms, action, argument));
  if (unsaid !== undefined) return not(`nothing is said about the argument "${unsaid}"`);
  const unmet = terms.conditions.find((condition) => !isMet(condition, action.arguments));
  if (unmet) return not(`the argument "${unmet.argument}" is not as the terms want it`);
  const amountMicro = terms.total ? microAmount(valueAt(action.arguments, terms.total.argument)) : 0;
  return amountMicro === null ? not(`the argument "${terms.total?.argument}" is no amount that can be counted`) : { type: 'covered', amountMicro };
}

function isSpokenOf({ conditions, total, free }: StandingTerms, { volatile }: CoveredAction, argument: string): boolean {
  const named = [...conditions.map((condition) => condition.argument), ...(total ? [total.argument] : [])];
  return free.includes(argument) || volatile.includes(argument) || named.includes(argument);
}

function isMet(condition: Condition, args: JsonObject): boolean {
  const value = valueAt(args, condition.argument);
  switch (condition.op) {
    case 'eq':
      return value === condition.value;
    case 'in':
      return condition.values.some((allowed) => allowed === value);
    case 'atMost': {
      const [amount, limit] = [microAmount(value), microAmount(condition.value)];
      return amount !== null && limit !== null && amount <= limit;
    }
  }
}

/** The argument of that name itself; nothing that every object has. */
function valueAt(args: JsonObject, argument: string): JsonValue | undefined {
  return Object.hasOwn(args, argument) ? args[argument] : undefined;
}

export type StandingPermission =
  | { readonly type: 'permitted'; readonly amountMicro: number; readonly granters: readonly string[] }
  | { readonly type: 'refused'; readonly why: string };

/** What the caller knows of the gate that is asked about, from its own configuration. */
export interface StandingRules {
  readonly policies: readonly GatePolicy[];
  readonly requesterMayDecideByDefault: boolean;
  /** When the store was last filled from a backup: what was used or revoked after the backup is not known any more. */
  readonly restoredAtMs: number | null;
}

/**
 * Whether a standing approval permits one more action at the store's time `nowMs`. `grants` are those whose signatures the
 * caller has just verified; of them only the ones for exactly this record and exactly the same terms count.
 */
export function standingPermits(
  state: StandingState,
  grants: readonly StandingGrant[],
  action: CoveredAction,
  rules: StandingRules,
  nowMs: number,
): StandingPermission {
  const refuse = (why: string): StandingPermission => ({ type: 'refused', why });
  if (state.isRevoked) return refuse('it was revoked');
  const valid = validGrants(state.record, grants, action, rules);
  const terms = valid[0]?.terms;
  if (!terms) return refuse('nobody who may has signed it');
  const { policies } = rules;
  if (policies.some(({ standing }) => standing === false)) return refuse('the policy of the gate allows no standing approvals');
  // What a policy asks beside a role and a number is for people to look at; and one whose rules were not applied is not known yet.
  if (policies.some(({ needs = [], limits = [], rules: unapplied = [] }) => needs.length + limits.length + unapplied.length > 0))
    return refuse('the policy asks for several roles, or limits what a role may approve: people decide each action');
  const granters = [...new Set(valid.map(({ granter }) => granter))];
  const needed = Math.max(1, ...policies.map(({ approvers }) => approvers));
  if (granters.length < needed) return refuse(`${granters.length} of ${needed} people have signed it`);
  if (nowMs >= terms.untilMs) return refuse('it is over');
  const coverage = coverageOf(terms, action);
  if (coverage.type === 'notCovered') return refuse(coverage.why);
  if (state.uses >= terms.maxUses) return refuse(`it was for ${terms.maxUses} actions, and they are used up`);
  const limitMicro = terms.total ? microAmount(terms.total.atMost) : null;
  if (terms.total && (limitMicro === null || state.totalMicro + coverage.amountMicro > limitMicro))
    return refuse(`"${terms.total.argument}" would come to more than ${terms.total.atMost} in all`);
  return { type: 'permitted', amountMicro: coverage.amountMicro, granters };
}

function validGrants(
  { standingId, terms }: StandingRecord,
  grants: readonly StandingGrant[],
  { requester }: CoveredAction,
  { policies, requesterMayDecideByDefault, restoredAtMs }: StandingRules,
): readonly StandingGrant[] {
  const mayBeRequester = policies.every((policy) => policy.requesterMayDecide ?? requesterMayDecideByDefault);
  return grants.filter(
    (grant) =>
      grant.standingId === standingId &&
      isSameJson(grant.terms, terms) &&
      policies.every(({ role }) => holdsRole(grant.roles, role)) &&
      (mayBeRequester || grant.granter !== requester) &&
      (restoredAtMs === null || grant.issuedAtMs > restoredAtMs),
  );
}

/** Two JSON values, whatever the order of their fields. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && isSameJson(left[key], right[key]));
}

/** For people: what a standing approval is for. */
export function describeTerms({ tool, tenant, task, conditions, maxUses, total, untilMs }: StandingTerms): string {
  const where = conditions.map(describeCondition).join(', ');
  const sum = total ? `, ${total.argument} at most ${total.atMost} in all` : '';
  const of = task === undefined ? '' : ` of ${task}`;
  return `${tool}${of} for ${tenant}${where === '' ? '' : ` where ${where}`}, at most ${maxUses} times${sum}, until ${new Date(untilMs).toISOString()}`;
}

function describeCondition(condition: Condition): string {
  switch (condition.op) {
    case 'eq':
      return `${condition.argument} = ${JSON.stringify(condition.value)}`;
    case 'in':
      return `${condition.argument} in ${JSON.stringify(condition.values)}`;
    case 'atMost':
      return `${condition.argument} ≤ ${condition.value}`;
  }
}
