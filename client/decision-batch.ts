import { TollgateError } from '../contracts/failures.ts';
import type { AgentClient } from './agent-client.ts';
import type { DecisionResult } from './decision.ts';
import type { GateReport } from './gate-report.ts';

/** The most gates in one batch. */
export const MAX_BATCH = 200;
/** Decisions under way at once. */
const AT_ONCE = 8;

export interface BatchDecision {
  readonly verdict: 'approve' | 'deny';
  /** Each with the digest of what is decided: what is not named is not decided. */
  readonly decisions: readonly { readonly approvalId: string; readonly actionDigest: string }[];
  /** A comment, or the reason of a denial. */
  readonly comment?: string;
}

export interface BatchAnswer {
  readonly approvalId: string;
  readonly answer: DecisionResult;
}

/**
 * One decision over many gates: one signed decision for each, so that each digest is bound, and an answer for each in the
 * order asked. One that is refused, or fails, changes nothing about the others.
 * @throws TollgateError `invalidInput` where there are none, too many, or one gate twice.
 */
export async function decideAll(door: Pick<AgentClient, 'approve' | 'deny'>, { verdict, decisions, comment }: BatchDecision): Promise<readonly BatchAnswer[]> {
  const ids = new Set(decisions.map(({ approvalId }) => approvalId));
  if (decisions.length === 0 || decisions.length > MAX_BATCH || ids.size !== decisions.length)
    throw new TollgateError(
      'invalidInput',
      `A batch has 1 to ${MAX_BATCH} decisions, each about another gate; this one has ${decisions.length} about ${ids.size}.`,
    );
  if (verdict === 'deny' && !comment) throw new TollgateError('invalidInput', 'A denial has a reason.');
  const decide = async ({ approvalId, actionDigest }: (typeof decisions)[number]): Promise<BatchAnswer> => {
    const said = comment === undefined ? {} : { comment };
    const deciding =
      verdict === 'approve' ? door.approve(approvalId, { actionDigest, ...said }) : door.deny(approvalId, { actionDigest, reason: comment ?? '' });
    return { approvalId, answer: await deciding.catch(undecided) };
  };
  const answers: BatchAnswer[] = [];
  for (let next = 0; next < decisions.length; next += AT_ONCE) answers.push(...(await Promise.all(decisions.slice(next, next + AT_ONCE).map(decide))));
  return answers;
}

/** What went wrong with one is told as that one's answer. */
function undecided(error: unknown): DecisionResult {
  if (error instanceof TollgateError) return { type: 'undecided', message: error.message };
  throw error;
}

/** Gates that ask for the same as `one` with other arguments: same tool, version, destination, role and kind. */
export function likeGates(one: GateReport, gates: readonly GateReport[]): readonly GateReport[] {
  const isLike = (gate: GateReport) =>
    gate.status === 'open' &&
    gate.kind === one.kind &&
    gate.tool === one.tool &&
    gate.toolVersion === one.toolVersion &&
    gate.destination === one.destination &&
    gate.role === one.role &&
    gate.occurrence === 0;
  return [one, ...gates.filter((gate) => gate.approvalId !== one.approvalId && isLike(gate))];
}
