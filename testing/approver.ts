import type { AgentClient } from '../client/agent-client.ts';
import type { DecisionResult, Identity } from '../client/decision.ts';
import { type GateReport, reportGate } from '../client/gate-report.ts';
import type { Store } from '../domain/store/port.ts';

const LOOK_INTERVAL_MS = 40;
const MAX_OPEN_GATES = 1_000;
/** The store has a gate before the run follows it. */
const MAX_TRIES = 100;

/** `leave` keeps the gate open, for the test itself or for its expiry. A person other than the default one is named by `as`. */
export type ApproverDecision =
  | 'approve'
  | 'leave'
  | { readonly approve: true; readonly as?: Identity; readonly comment?: string }
  | { readonly deny: string; readonly as?: Identity };

/** Decides on a gate, which has everything that a person would see. Asked once for each gate and vote that it still needs. */
export type Approver = (gate: GateReport) => ApproverDecision | Promise<ApproverDecision>;

/** Approves whatever is asked. */
export const approveAll: Approver = () => 'approve';

/** Denies whatever is asked, with this reason. */
export function denyAll(reason: string): Approver {
  return () => ({ deny: reason });
}

/** One approver for each tool; gates of other tools are left open. A budget gate's tool is `tollgate.raiseBudget`. */
export function byTool(approvers: Readonly<Record<string, Approver>>): Approver {
  return (gate) => (Object.hasOwn(approvers, gate.tool) ? (approvers[gate.tool]?.(gate) ?? 'leave') : 'leave');
}

/** What an approver was asked, what it said and what came of it. `result` is null where it left the gate open. */
export interface RecordedDecision {
  readonly gate: GateReport;
  readonly decision: ApproverDecision;
  readonly result: DecisionResult | null;
}

/** A client that decides as somebody. */
export type ClientOf = (identity: Identity) => AgentClient;

/** Watches the store for gates and decides on them until it is stopped. */
export class ApproverLoop {
  readonly decisions: RecordedDecision[] = [];
  readonly #store: Store;
  readonly #clientOf: ClientOf;
  readonly #approver: Approver;
  /** By gate and vote: a gate that needs two people is put to the approver twice. */
  readonly #handled = new Set<string>();
  #error: unknown;
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(store: Store, clientOf: ClientOf, approver: Approver) {
    this.#store = store;
    this.#clientOf = clientOf;
    this.#approver = approver;
    this.#running = this.#run();
  }

  /** Why this gate stays open although the approver has looked at it; null where it has not, or its vote was taken. */
  whyLeft(approvalId: string): string | null {
    const last = this.decisions.findLast(({ gate }) => gate.approvalId === approvalId);
    if (!last || last.result?.type === 'accepted') return null;
    return last.result ? `The approver's decision was not taken: ${last.result.message}` : 'No approver decides on it.';
  }

  /** @throws what the approver itself threw: a test must not wait for a decision that never comes. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        for (const gate of await this.#store.listGates({ status: 'open', limit: MAX_OPEN_GATES })) await this.#decide(reportGate(gate));
      } catch (error) {
        this.#error ??= error;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
  }

  async #decide(gate: GateReport): Promise<void> {
    const vote = `${gate.approvalId} ${gate.approvals}`;
    if (this.#handled.has(vote)) return;
    this.#handled.add(vote);
    const decision = await this.#approver(gate);
    const result = decision === 'leave' ? null : await this.#send(gate, decision);
    this.decisions.push({ gate, decision, result });
  }

  async #send(gate: GateReport, decision: Exclude<ApproverDecision, 'leave'>): Promise<DecisionResult> {
    const { approvalId, actionDigest, agentRunId } = gate;
    const said = decision === 'approve' ? ({ approve: true } as const) : decision;
    // Different people by default, because one person has one vote.
    const client = this.#clientOf(said.as ?? { name: `approver-${gate.approvals + 1}`, roles: ['*'] });
    for (let tries = 1; ; tries += 1) {
      const result =
        'deny' in said
          ? await client.deny(approvalId, { actionDigest, agentRunId, reason: said.deny })
          : await client.approve(approvalId, { actionDigest, agentRunId, ...(said.comment === undefined ? {} : { comment: said.comment }) });
      const isEarly = result.type === 'refused' && result.reason === 'closed' && result.gateStatus === 'open' && tries < MAX_TRIES && !this.#isStopped;
      if (!isEarly) return result;
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
  }
}
