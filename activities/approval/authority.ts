import { TollgateError } from '../../contracts/failures.ts';
import type { ActionDigest } from '../../contracts/ids.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { ActionFacts, ActionPermission } from '../../domain/approval/action-facts.ts';
import { decidedAs, type GateRecord, isProven, isTooOld, permits } from '../../domain/approval/gate.ts';
import type { AskedPolicy } from '../../domain/approval/policy.ts';
import type { StopRecord } from '../../domain/approval/stop.ts';
import type { OpenedTokens } from '../../domain/redaction/revealed-arguments.ts';
import { demandUnpaused, whyHeld } from '../agent-run/held.ts';
import type { ActivityPorts } from '../ports.ts';
import type { LoadedCall } from '../tool/loaded-call.ts';
import { rulingOf } from './asked-policy.ts';
import { delegationsOf } from './delegations.ts';
import { provenVotes } from './gated-action.ts';
import { isProvenByStanding, permitsByStanding, standingJudge } from './standing.ts';
import { whyStopped } from './stopped.ts';

export interface GatedCall {
  readonly gate: GateRecord;
  /** Computed by the caller from its own configuration. */
  readonly digest: ActionDigest;
  readonly snapshot: TaskSnapshot;
  readonly call: LoadedCall;
  readonly opened: OpenedTokens;
  readonly tenant: string;
  /** What must be asked for it, by the pinned task and this worker's own configuration. */
  readonly asked: AskedPolicy;
}

/** Who and what permits an action: people at its gate, those who stand for them, a standing approval; and no stop switch that holds it back. */
export interface Authority {
  /** @throws TollgateError `stopped` or `paused`. A glance, before anything is prepared; `mayBegin` has the last word. */
  demandRunning(): Promise<void>;
  /** The rule that is asked inside the transaction that consumes the approval and writes the intent. */
  mayBegin(row: GateRecord, nowMs: number, facts: ActionFacts): ActionPermission;
  /** Whether signatures, and not rows alone, say that it was approved, not too long ago, and nobody holds it back: then an action whose first sending failed may be sent again. */
  mayBeSentAgain(): Promise<boolean>;
}

export async function authorityOver(ports: ActivityPorts, { gate, digest, snapshot, call, opened, tenant, asked }: GatedCall): Promise<Authority> {
  const { store } = ports;
  const ruling = rulingOf(ports);
  const stands = await delegationsOf(ports, gate, tenant);
  const judge = gate.standing ? await standingJudge(ports, await subject()) : null;
  const why = (stops: readonly StopRecord[]) => whyStopped(ports, stops, { tool: call.tool.name, task: snapshot.task.name, tenant });
  const stopsNow = () => store.stopsFor(gate.runKey, call.tool.name);

  async function subject() {
    const run = await store.getRun(gate.runKey);
    const { occurrence, runKey } = gate;
    return {
      runKey,
      snapshot,
      tool: call.tool,
      args: call.args,
      opened,
      occurrence,
      tenant,
      requester: run?.requester ?? '',
      policies: [asked.policy, gate.policy],
    };
  }

  return {
    async demandRunning() {
      const message = why(await stopsNow());
      if (message !== null) throw new TollgateError('stopped', message);
      await demandUnpaused(store, gate.runKey);
    },
    mayBegin(row, nowMs, facts) {
      const message = why(facts.stops);
      if (message !== null) return { type: 'stopped', message };
      if (facts.pausedBy !== null) return { type: 'paused', message: whyHeld(gate.runKey, facts.pausedBy) };
      const decided = decidedAs(gate, row);
      if (judge) return permitsByStanding(decided, facts, judge, call.args, nowMs);
      return permits(decided, provenVotes(ports, row, digest, stands), nowMs, ruling);
    },
    async mayBeSentAgain() {
      if (why(await stopsNow()) !== null) return false;
      const nowMs = await store.nowMs();
      if (judge && gate.standing) return isProvenByStanding(gate, await store.getStanding(gate.standing.standingId), judge, call.args, nowMs);
      const votes = provenVotes(ports, gate, digest, stands);
      return isProven(gate, votes, nowMs, ruling) && !isTooOld(gate, votes, nowMs);
    },
  };
}
