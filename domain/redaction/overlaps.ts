import type { RedactionAction } from '../../contracts/redaction.ts';
import type { AppliedFinding } from './port.ts';

const STRENGTH: Readonly<Record<RedactionAction, number>> = { allow: 0, tokenise: 1, mask: 2, drop: 3, block: 4 };

/**
 * Findings that overlap become one over all they cover, so that no part of any is left: with the strongest action among them and
 * the type of the longest that has it (of two the first found). Allowed ones shield nothing and stay beside. In order of place.
 */
export function withoutOverlaps(text: string, findings: readonly AppliedFinding[]): AppliedFinding[] {
  const allowed = findings.filter(({ action }) => action === 'allow');
  const groups: AppliedFinding[][] = [];
  let reach = -1;
  for (const finding of byStart(findings.filter(({ action }) => action !== 'allow').map((found) => onWholeCharacters(text, found)))) {
    const group = groups.at(-1);
    if (group && finding.start < reach) group.push(finding);
    else groups.push([finding]);
    reach = Math.max(finding.end, group && finding.start < reach ? reach : 0);
  }
  return byStart([...groups.map(oneOf), ...allowed]);
}

function oneOf(group: readonly AppliedFinding[]): AppliedFinding {
  let [winner] = group as [AppliedFinding];
  let { start, end } = winner;
  for (const finding of group) {
    if (isStronger(finding, winner)) winner = finding;
    start = Math.min(start, finding.start);
    end = Math.max(end, finding.end);
  }
  return { type: winner.type, action: winner.action, start, end };
}

function isStronger(left: AppliedFinding, right: AppliedFinding): boolean {
  const difference = STRENGTH[left.action] - STRENGTH[right.action];
  return difference > 0 || (difference === 0 && left.end - left.start > right.end - right.start);
}

/** Stable, so that of two in the same place the first found stays first. */
function byStart(findings: readonly AppliedFinding[]): AppliedFinding[] {
  return [...findings].sort((left, right) => left.start - right.start);
}

/** A pattern may end within a surrogate pair; half a character may neither stay nor go. */
function onWholeCharacters(text: string, finding: AppliedFinding): AppliedFinding {
  const start = isSplit(text, finding.start) ? finding.start - 1 : finding.start;
  const end = isSplit(text, finding.end) ? finding.end + 1 : finding.end;
  return start === finding.start && end === finding.end ? finding : { ...finding, start, end };
}

function isSplit(text: string, index: number): boolean {
  const before = text.charCodeAt(index - 1);
  const after = text.charCodeAt(index);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}
