import { actionDigestOf, provenVotes } from '../../activities/approval/gated-action.ts';
import type { Decision, DecisionAnswer, Verdict } from '../../contracts/approval.ts';
import { edit, withArguments } from '../../domain/approval/edit.ts';
import { close, decide, decidedAs, type GateRecord, permits, type Vote } from '../../domain/approval/gate.ts';
import { tend, timesOf } from '../../domain/approval/moments.ts';
import { type AskedPolicy, askedOf, isStricter, together } from '../../domain/approval/policy.ts';
import { NOTHING_OPENED } from '../../domain/redaction/revealed-arguments.ts';
import { isQuorum, PEOPLE, type Person, policyOf, type Shown, type Wish } from './gate-oracle.ts';
import type { seededRandom } from './seeded-random.ts';
import { newGate, runKey } from './store-contract/fixtures.ts';

type Random = ReturnType<typeof seededRandom>;

const AMOUNTS = [20, 80, 120, 600];
const NAMES = Object.keys(PEOPLE) as Person[];
const RUN = runKey('simulated');
const MOVES_A_STORY = 18;
const digests = new Map<string, string>();

/** How often what the simulation is about has come about, over all stories. */
export interface Tally {
  executed: number;
  refused: number;
  edited: number;
  escalated: number;
  expired: number;
  reopened: number;
  replayed: number;
  tampered: number;
}

export const emptyTally = (): Tally => ({ executed: 0, refused: 0, edited: 0, escalated: 0, expired: 0, reopened: 0, replayed: 0, tampered: 0 });

interface Sent {
  readonly signed: string;
  readonly who: Person;
  readonly verdict: Verdict;
  readonly digest: string;
}

/**
 * One run that wants one irreversible action, its store, its people and its workers: a seed makes the story. What people may
 * have done is remembered beside the row, and at every dispatch and every answer the two must agree.
 */
export class GateStory {
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #pinned: Wish;
  #deployed: Wish;
  #row: GateRecord;
  #nowMs = 1_000;
  #generation = 0;
  #isTampered = false;
  /** Loaded by a worker that has not consumed yet. */
  #loaded: GateRecord | null = null;
  /** Intents by gate, as the journal has them. */
  readonly #dispatched = new Map<string, number>();
  readonly #sent: Sent[] = [];
  readonly #genuine = new Map<string, Decision>();
  readonly #shown = new Map<string, Shown>();
  /** The standing decision of each person for each digest, as they were told it was accepted. */
  readonly #standing = new Map<string, Map<Person, 'approve' | 'deny'>>();

  constructor(random: Random, tally: Tally) {
    this.#random = random;
    this.#tally = tally;
    this.#pinned = this.#wish();
    this.#deployed = random.chance(0.7) ? this.#pinned : this.#wish();
    this.#row = this.#open();
  }

  /** @throws Error that names what must not be. */
  play(): void {
    for (let count = 0; count < MOVES_A_STORY; count += 1) {
      this.#move();
      if (!this.#isTampered) this.#checkNothingLost();
    }
  }

  #move(): void {
    const random = this.#random;
    const kind = random.below(40);
    if (kind < 16) this.#send(this.#sign(this.#verdict(), this.#digestToName()));
    else if (kind < 19) this.#send(this.#sign('edit', this.#digestToName(), this.#pick(AMOUNTS)));
    else if (kind < 22) this.#sendAgain();
    else if (kind < 26) this.#nowMs += this.#pick([1, 40, 150, 700]);
    else if (kind < 28) this.#tend();
    else if (kind < 30) this.#close(this.#pick(['expired', 'expired', 'withdrawn', 'superseded']));
    else if (kind < 33) this.#loaded = this.#row;
    else if (kind < 37) this.#execute();
    else if (kind < 38) this.#restart();
    else if (kind < 39) this.#deployed = random.chance(0.5) ? this.#pinned : this.#wish();
    else if (random.chance(0.3)) this.#tamper();
  }

  #wish(): Wish {
    const { chance, below } = this.#random;
    return {
      leads: 1 + below(2),
      finance: chance(0.3) ? 1 : 0,
      moreAbove: chance(0.4) ? 100 : null,
      leadLimit: chance(0.25) ? 500 : null,
      escalateAfterMs: chance(0.4) ? 300 : null,
      requesterMay: chance(0.3),
      validForMs: this.#pick([200, 1_000]),
    };
  }

  #verdict(): Verdict {
    return this.#pick(['approve', 'approve', 'approve', 'approve', 'approve', 'deny', 'withdraw'] as const);
  }

  /** Mostly what is shown now; else what was shown once, as whoever looked at it before would name. */
  #digestToName(): string {
    return this.#random.chance(0.9) ? this.#row.actionDigest : this.#pick([...this.#shown.keys()]);
  }

  #wishes(): readonly Wish[] {
    return [this.#pinned, this.#deployed];
  }

  #asked(args: GateRecord['arguments']): AskedPolicy {
    const [pinned, deployed] = this.#wishes().map((wish) => askedOf(policyOf(wish), { tool: 'refund', tenant: 'acme', arguments: args }));
    return together(pinned as AskedPolicy, [deployed as AskedPolicy]);
  }

  #open(amount = this.#pick(AMOUNTS)): GateRecord {
    const args = { order: 'W1', amount };
    const { policy } = this.#asked(args);
    const { escalatesAtMs, ...times } = timesOf(policy, this.#nowMs);
    this.#generation += 1;
    const draft = newGate(RUN, {
      ...{ approvalId: `gate-${this.#generation}` as never, arguments: args, policy, requester: 'alice', createdAtMs: this.#nowMs },
      ...times,
      terms: { revision: 0, escalatesAtMs, editors: [] },
    });
    const actionDigest = digestOf(draft);
    this.#shown.set(actionDigest, { amount, sinceMs: this.#nowMs, askedFor: new Set(['alice']) });
    return { ...draft, actionDigest };
  }

  #sign(verdict: Verdict, digest: string, amount?: number): Sent {
    const who = this.#pick(NAMES);
    const decision: Decision = {
      ...{ version: 1, ...RUN, approvalId: this.#row.approvalId, actionDigest: digest, verdict, approver: who, roles: [...PEOPLE[who]] },
      ...(amount === undefined ? {} : { arguments: { order: 'W1', amount } }),
      nonce: String(this.#sent.length),
      expiresAtMs: this.#nowMs + 250,
    };
    const sent: Sent = { signed: `signed-${this.#generation}-${this.#sent.length}.x`, who, verdict, digest };
    this.#genuine.set(sent.signed, decision);
    this.#sent.push(sent);
    return sent;
  }

  #sendAgain(): void {
    const sent = this.#sent[this.#random.below(this.#sent.length || 1)];
    if (!sent) return;
    this.#tally.replayed += 1;
    this.#send(sent);
  }

  /** As recordDecision does. A crash before the transaction is written leaves everything as it was, and nobody is answered. */
  #send(sent: Sent): void {
    const decision = this.#genuine.get(sent.signed) as Decision;
    const verified = { decision, signedDecision: sent.signed, requesterMayDecideByDefault: false };
    const before = this.#row;
    const { gate, answer } = decision.verdict === 'edit' ? edit(before, verified, this.#propose(decision), this.#nowMs) : decide(before, verified, this.#nowMs);
    if (this.#random.chance(0.05)) return;
    if (gate) this.#row = gate;
    if (answer.type === 'refused') this.#tally.refused += 1;
    if (answer.type === 'accepted') this.#remember(sent, before, gate !== null, answer);
    if (answer.gateStatus !== this.#row.status) throw new Error(`answered ${answer.gateStatus}, and the gate is ${this.#row.status}`);
    const again = decision.verdict === 'edit' ? null : decide(this.#row, verified, this.#nowMs);
    if (again?.gate && answer.type === 'accepted') throw new Error('the same decision at once again changed the gate');
  }

  #propose(decision: Decision) {
    if (digestOf(this.#row) !== this.#row.actionDigest) return { problem: 'not as it was opened' };
    const args = decision.arguments ?? {};
    const { policy } = this.#asked(args);
    const edited = { editor: decision.approver, arguments: args, policy, occurrence: 0, reason: '' };
    return { ...edited, actionDigest: digestOf(withArguments(this.#row, edited, this.#nowMs)), proposedAtMs: this.#nowMs };
  }

  #remember({ who, verdict }: Sent, before: GateRecord, isChange: boolean, answer: DecisionAnswer): void {
    if (verdict === 'edit') {
      if (!isChange || answer.type !== 'accepted' || !answer.edited) return;
      this.#tally.edited += 1;
      const earlier = this.#shown.get(before.actionDigest);
      if (this.#shown.has(answer.edited.actionDigest)) throw new Error('an edit brought back a digest that was shown before');
      const { amount } = this.#row.arguments as { amount: number };
      this.#shown.set(answer.edited.actionDigest, { amount, sinceMs: this.#nowMs, askedFor: new Set([...(earlier?.askedFor ?? []), who]) });
      return;
    }
    if (!isChange) return;
    const standing = this.#standing.get(before.actionDigest) ?? new Map<Person, 'approve' | 'deny'>();
    this.#standing.set(before.actionDigest, standing);
    if (verdict === 'withdraw') standing.delete(who);
    else standing.set(who, verdict);
  }

  #tend(): void {
    const tended = tend(this.#row, this.#nowMs);
    if (!tended) return;
    this.#row = tended.gate;
    if (tended.events.includes('escalated')) this.#tally.escalated += 1;
  }

  #close(status: 'expired' | 'withdrawn' | 'superseded'): void {
    const closed = close(this.#row, status, this.#nowMs);
    if (!closed) return;
    if (closed.status === 'expired') this.#tally.expired += 1;
    this.#row = closed;
    if (this.#random.chance(0.7)) this.#row = this.#open();
  }

  #restart(): void {
    this.#row = JSON.parse(JSON.stringify(this.#row)) as GateRecord;
    this.#loaded = null;
  }

  /** As executeIrreversible does: what was loaded may be older than the row by now. */
  #execute(): void {
    const gate = this.#loaded ?? this.#row;
    this.#loaded = this.#random.chance(0.5) ? gate : null;
    const asked = this.#asked(gate.arguments);
    const digest = digestOf(gate);
    if (isStricter(asked.policy, gate.policy, false) || digest !== gate.actionDigest) {
      this.#reopen(gate);
      return;
    }
    if (this.#dispatched.has(gate.approvalId) || this.#row.approvalId !== gate.approvalId) return;
    const row = this.#row;
    const permission = permits(decidedAs(gate, row), this.#proven(row, digest), this.#nowMs, { requesterMayDecideByDefault: false });
    if (permission.type === 'refused') return;
    if (row.status !== 'approved') throw new Error(`the action ran while its gate was ${row.status}`);
    this.#row = { ...row, status: 'consumed', consumedAtMs: this.#nowMs };
    this.#dispatch(gate, digest);
  }

  #reopen(gate: GateRecord): void {
    if (this.#row.approvalId !== gate.approvalId || this.#dispatched.has(gate.approvalId)) return;
    this.#tally.reopened += 1;
    this.#row = this.#open((gate.arguments as { amount?: number }).amount ?? AMOUNTS[0]);
  }

  #proven(row: GateRecord, digest: string): readonly Vote[] {
    return provenVotes({ verifier: { verify: (signed) => this.#genuine.get(signed) ?? null } }, row, digest as never);
  }

  #dispatch(gate: GateRecord, digest: string): void {
    this.#tally.executed += 1;
    const times = (this.#dispatched.get(gate.approvalId) ?? 0) + 1;
    this.#dispatched.set(gate.approvalId, times);
    if (times > 1) throw new Error(`the action of ${gate.approvalId} ran ${times} times`);
    const shown = this.#shown.get(digest);
    if (!shown) throw new Error('what ran was never shown to anybody');
    if ((gate.arguments as { amount: number }).amount !== shown.amount) throw new Error('other arguments ran than those shown');
    const standing = [...(this.#standing.get(digest) ?? [])];
    if (!this.#isTampered && standing.some(([, verdict]) => verdict === 'deny')) throw new Error('the action ran although somebody denied it');
    // Who writes rows can plant again what somebody signed and took back, and nothing that nobody signed.
    const signed = this.#sent.filter((sent) => sent.verdict === 'approve' && sent.digest === digest).map(({ who }) => who);
    const approvers = this.#isTampered ? signed : standing.map(([who]) => who);
    if (!isQuorum(this.#wishes(), approvers, shown, this.#nowMs)) throw new Error(`no quorum: ${approvers.join(', ') || 'nobody'} approved ${shown.amount}`);
  }

  /** What people were told was accepted is in the row, and nothing else is. */
  #checkNothingLost(): void {
    const { status, actionDigest, votes } = this.#row;
    const standing = this.#standing.get(actionDigest) ?? new Map<Person, 'approve' | 'deny'>();
    const told = [...standing].map(([who, verdict]) => `${who}:${verdict}`).sort();
    const held = votes.map(({ approver, verdict }) => `${approver}:${verdict}`).sort();
    if (told.join() !== held.join()) throw new Error(`people were told that ${told.join() || 'nothing'} counts, and the gate has ${held.join() || 'nothing'}`);
    const isDenied = [...standing.values()].includes('deny');
    if (status === 'open' && isDenied) throw new Error('a denial was lost');
    if (status === 'approved' && isDenied) throw new Error('approved over a denial');
  }

  /** What somebody with a hand in the store could write: it may stop an action, and never let one run. */
  #tamper(): void {
    this.#tally.tampered += 1;
    this.#isTampered = true;
    const row = this.#row;
    const forged: Vote = {
      ...{ approver: 'carol', roles: ['lead'], verdict: 'approve', unverified: false, comment: null, atMs: this.#nowMs },
      signedDecision: 'made-up.x',
    };
    const stolen = this.#pick([...this.#genuine.keys(), 'none.x']);
    const terms = row.terms ?? { revision: 0, escalatesAtMs: null, editors: [] };
    this.#row = this.#pick<() => GateRecord>([
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs }),
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs, votes: [forged, { ...forged, approver: 'bob' }] }),
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs, votes: [...row.votes, { ...forged, signedDecision: stolen }] }),
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs, policy: { ...row.policy, approvers: 1, requesterMayDecide: true } }),
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs, terms: { ...terms, editors: [], escalatesAtMs: 0 } }),
      () => ({ ...row, arguments: { order: 'W1', amount: 600 } }),
      () => ({ ...row, requester: 'nobody' }),
      () => ({ ...row, status: 'approved', decidedAtMs: this.#nowMs, votes: [] }),
    ])();
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)] as T;
  }
}

/** The digest that a worker computes, each once. */
function digestOf(gate: GateRecord): GateRecord['actionDigest'] {
  const { approvalId, arguments: args, policy, terms, requester } = gate;
  const key = JSON.stringify([approvalId, args, policy, terms, requester]);
  const known = digests.get(key) ?? actionDigestOf(gate, [], NOTHING_OPENED);
  if (digests.size > 20_000) digests.clear();
  digests.set(key, known);
  return known as GateRecord['actionDigest'];
}
