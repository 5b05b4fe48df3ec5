import type { DecisionSigner } from '../../../domain/approval/key-port.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { seededRandom } from '../seeded-random.ts';
import type { Stage } from '../stage.ts';

export type Plan = 'approve' | 'deny' | 'never';
type Verdict = 'approve' | 'deny';

/** A decision may come before the run waits at its gate, and is dropped then: said again until it holds. */
const AGAIN_AFTER_MS = 1_500;

export interface ApproverKeys {
  readonly own: DecisionSigner;
  /** A key that no worker knows. */
  readonly foreign: DecisionSigner;
}

/**
 * People as a script: each gate gets one fate. Most are approved, some denied, some left to expire; many get forged decisions
 * before the real one, and the real one several times. `truth` is what became of an action in doubt.
 */
export class Approvers {
  readonly plans = new Map<string, Plan>();
  readonly forged = { foreignKey: 0, otherGate: 0, otherDigest: 0, wrongRole: 0, unsigned: 0, duplicate: 0 };
  readonly #stage: Stage;
  readonly #keys: ApproverKeys;
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #truth: (gate: GateRecord) => Promise<boolean>;
  readonly #sentAtMs = new Map<string, number>();
  /** The last real approval of anybody: replayed at other gates. */
  #lastApproval: string | null = null;

  constructor(stage: Stage, keys: ApproverKeys, random: ReturnType<typeof seededRandom>, truth: (gate: GateRecord) => Promise<boolean>) {
    this.#stage = stage;
    this.#keys = keys;
    this.#random = random;
    this.#truth = truth;
  }

  async decideAll(): Promise<void> {
    for (const gate of await this.#stage.store.listGates({ status: 'open', limit: 1_000 })) {
      const sentAtMs = this.#sentAtMs.get(gate.approvalId);
      if (sentAtMs !== undefined && Date.now() - sentAtMs < AGAIN_AFTER_MS) continue;
      this.#sentAtMs.set(gate.approvalId, Date.now());
      await this.#decide(gate, sentAtMs === undefined).catch(() => undefined);
    }
  }

  async #decide(gate: GateRecord, isFirst: boolean): Promise<void> {
    const plan = this.plans.get(gate.approvalId) ?? (await this.#plan(gate));
    this.plans.set(gate.approvalId, plan);
    if (isFirst && (plan !== 'approve' || this.#random.chance(0.5))) await this.#forge(gate);
    if (plan === 'never') return;
    const signedDecision = sign(this.#keys.own, gate, plan);
    await this.#send(gate, plan, signedDecision);
    if (this.#random.chance(0.4)) {
      this.forged.duplicate += 1;
      await Promise.all([1, 2].map(() => this.#send(gate, plan, signedDecision)));
    }
    if (plan === 'approve') this.#lastApproval = signedDecision;
  }

  async #plan(gate: GateRecord): Promise<Plan> {
    if (gate.kind === 'inDoubt') return (await this.#truth(gate)) ? 'approve' : 'deny';
    const fate = this.#random.below(20);
    return fate < 15 ? 'approve' : fate < 18 ? 'deny' : 'never';
  }

  /** Everything that must not count, as approvals. */
  async #forge(gate: GateRecord): Promise<void> {
    const { own, foreign } = this.#keys;
    this.forged.foreignKey += 1;
    await this.#send(gate, 'approve', sign(foreign, gate, 'approve'));
    this.forged.otherDigest += 1;
    await this.#send(gate, 'approve', sign(own, { ...gate, actionDigest: '0'.repeat(64) as GateRecord['actionDigest'] }, 'approve'));
    this.forged.wrongRole += 1;
    await this.#send(gate, 'approve', sign(own, gate, 'approve', { approver: 'eve', roles: ['intern'] }));
    this.forged.unsigned += 1;
    await this.#send(gate, 'approve');
    if (this.#lastApproval === null) return;
    this.forged.otherGate += 1;
    await this.#send(gate, 'approve', this.#lastApproval);
  }

  async #send({ runKey, approvalId, actionDigest }: GateRecord, verdict: Verdict, signedDecision?: string): Promise<void> {
    const payload = { approvalId, actionDigest, reason: 'campaign', ...(signedDecision === undefined ? {} : { signedDecision }) };
    await this.#stage.client.workflow.getHandle(runKey.agentRunId).signal(verdict, payload);
  }
}

function sign(
  signer: DecisionSigner,
  { runKey, approvalId, actionDigest }: Pick<GateRecord, 'runKey' | 'approvalId' | 'actionDigest'>,
  verdict: Verdict,
  person = { approver: 'alice', roles: ['lead'] },
): string {
  const { agentRunId, firstExecutionRunId } = runKey;
  const nonce = crypto.randomUUID();
  return signer.sign({ version: 1, agentRunId, firstExecutionRunId, approvalId, actionDigest, verdict, ...person, nonce, expiresAtMs: Date.now() + 600_000 });
}
