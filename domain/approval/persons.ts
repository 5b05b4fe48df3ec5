import type { Vote } from './gate-record.ts';

type Voter = Pick<Vote, 'approver' | 'onBehalfOf'>;

/** Whoever a vote counts for: the voter, and the one who delegated it. */
export function personsOf({ approver, onBehalfOf }: Voter): readonly string[] {
  return onBehalfOf === undefined ? [approver] : [approver, onBehalfOf];
}

/** Votes of different people, where nobody counts twice: neither as voter nor as the one voted for. The earlier one counts; of one voter, the last. */
export function distinctVotes<T extends Voter>(votes: readonly T[]): readonly T[] {
  const latest = new Map(votes.map((vote) => [vote.approver, vote]));
  const counted = new Set<string>();
  return [...latest.values()].filter((vote) => {
    const persons = personsOf(vote);
    if (persons.some((person) => counted.has(person))) return false;
    for (const person of persons) counted.add(person);
    return true;
  });
}

/** "bob for alice". */
export function describeVoter({ approver, onBehalfOf }: Voter): string {
  return onBehalfOf === undefined ? approver : `${approver} for ${onBehalfOf}`;
}
