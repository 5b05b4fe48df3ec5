import type { Vote } from './gate.ts';

type Voter = Pick<Vote, 'approver' | 'onBehalfOf'>;

/** Whoever a vote counts for: the voter, and the one who delegated it. */
export function personsOf({ approver, onBehalfOf }: Voter): readonly string[] {
  return onBehalfOf === undefined ? [approver] : [approver, onBehalfOf];
}

/** How many votes there are of different people, where nobody counts twice: neither as voter nor as the one voted for. */
export function countVoters(votes: readonly Voter[]): number {
  const counted = new Set<string>();
  let count = 0;
  for (const vote of votes) {
    const persons = personsOf(vote);
    if (persons.some((person) => counted.has(person))) continue;
    for (const person of persons) counted.add(person);
    count += 1;
  }
  return count;
}

/** "bob for alice". */
export function describeVoter({ approver, onBehalfOf }: Voter): string {
  return onBehalfOf === undefined ? approver : `${approver} for ${onBehalfOf}`;
}
