import type { RedactionAction } from '../../contracts/redaction.ts';
import type { FoundValues } from './found-values.ts';
import { withoutOverlaps } from './overlaps.ts';
import type { AppliedFinding, DetectionContext, Detector, Finding, TokenSource } from './port.ts';
import { maskFor } from './tokens.ts';

/** What a replaced text may lead to (a label that now stands next to a number) is looked for too, this often. */
const MAX_ROUNDS = 8;
/** Stands for a token or mask while detectors look: no part of a word, of a number or of any label. */
const OPAQUE = '￼';
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** The type of what stands where a detector threw against its contract; always blocks. */
export const DETECTOR_FAILURE = 'detectorFailure';

export interface BlockRules {
  readonly detectors: readonly Detector[];
  readonly context: DetectionContext;
  readonly actionFor: (type: string) => RedactionAction;
  readonly tokens: TokenSource;
}

/** What one call, or one stream, carries from block to block. */
export interface Passage {
  readonly rules: BlockRules;
  readonly found: FoundValues;
}

/** The text around a block that detectors see and nothing is replaced in: a JSON key before its value. */
export interface Surroundings {
  readonly before: string;
  readonly after: string;
}

export interface RedactedBlock {
  readonly text: string;
  /** Offsets in the block; in order of place. */
  readonly findings: readonly AppliedFinding[];
}

/** A stretch of the block as it now stands in the output. What is not `raw` is final and out of detectors' sight. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly raw: boolean;
}

/** Redacts until detectors find nothing more in what comes out; `marks` are the tokens and masks that stand in the block already. */
export function redactBlock(block: string, marks: readonly Finding[], { rules, found: values }: Passage, around: Surroundings): RedactedBlock {
  let pieces = piecesBetween(block, marks);
  const findings: AppliedFinding[] = [];
  let lookedFor = 0;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const shown = pieces.map(({ raw, text }) => (raw ? text : OPAQUE.repeat(text.length))).join('');
    const again = values.placesIn(shown, lookedFor).map((place) => ({ ...place, action: rules.actionFor(place.type) }));
    const found = withoutOverlaps(shown, [...detect(shown, rules, around), ...again]);
    if (round === 0) findings.push(...found.filter(({ action }) => action === 'allow'));
    const placed = found.filter(({ action }) => action !== 'allow').flatMap((finding) => withinRawPieces(finding, pieces));
    if (placed.length === 0) break;
    findings.push(...placed);
    // What is dropped may join what stood on both sides of it.
    lookedFor = placed.some(({ action }) => action === 'drop') ? 0 : values.count;
    for (const { type, start, end } of placed) values.add(type, block.slice(start, end));
    pieces = replace(pieces, placed, block, rules.tokens);
  }
  return { text: pieces.map(({ text }) => text).join(''), findings: findings.sort((left, right) => left.start - right.start) };
}

function detect(shown: string, { detectors, context, actionFor }: BlockRules, { before, after }: Surroundings): AppliedFinding[] {
  const text = before === '' && after === '' ? shown : before + shown + after;
  const found = detectors.flatMap((detector) => findWith(detector, text, context));
  if (found.length === 0) return [];
  return found.flatMap(({ type, start, end }): AppliedFinding[] => {
    const range = { start: Math.max(0, start - before.length), end: Math.min(shown.length, end - before.length) };
    return range.start < range.end ? [{ type, ...range, action: type === DETECTOR_FAILURE ? 'block' : actionFor(type) }] : [];
  });
}

function findWith(detector: Detector, text: string, context: DetectionContext): readonly Finding[] {
  try {
    return detector.find(text, context);
  } catch {
    return [{ type: DETECTOR_FAILURE, start: 0, end: text.length }];
  }
}

function piecesBetween(block: string, marks: readonly Finding[]): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { start, end } of marks) {
    if (start > from) pieces.push({ start: from, end: start, text: block.slice(from, start), raw: true });
    pieces.push({ start, end, text: block.slice(start, end), raw: false });
    from = end;
  }
  if (from < block.length) pieces.push({ start: from, end: block.length, text: block.slice(from), raw: true });
  return pieces;
}

/** The parts of a finding (offsets in what was shown) that are still raw, as offsets in the block. */
function withinRawPieces(finding: AppliedFinding, pieces: readonly Piece[]): AppliedFinding[] {
  const parts: AppliedFinding[] = [];
  let position = 0;
  for (const piece of pieces) {
    const from = Math.max(finding.start, position);
    const to = Math.min(finding.end, position + piece.text.length);
    if (piece.raw && from < to) {
      const isWhole = from === finding.start && to === finding.end;
      const start = piece.start + from - position;
      const text = piece.text.slice(from - position, to - position);
      if (isWhole || LETTER_OR_DIGIT.test(text)) parts.push({ type: finding.type, action: finding.action, start, end: start + to - from });
    }
    position += piece.text.length;
    if (position >= finding.end) break;
  }
  return parts;
}

/** `findings` lie in raw pieces, in order, and don't overlap. */
function replace(pieces: readonly Piece[], findings: readonly AppliedFinding[], block: string, tokens: TokenSource): Piece[] {
  let next = 0;
  return pieces.flatMap((piece) => {
    if (!piece.raw) return [piece];
    const cut: Piece[] = [];
    let from = piece.start;
    const keepTo = (end: number) => {
      if (end > from) cut.push({ start: from, end, text: block.slice(from, end), raw: true });
    };
    for (let finding = findings[next]; finding && finding.end <= piece.end; finding = findings[++next]) {
      keepTo(finding.start);
      cut.push({ start: finding.start, end: finding.end, text: replacement(finding, block.slice(finding.start, finding.end), tokens), raw: false });
      from = finding.end;
    }
    keepTo(piece.end);
    return cut;
  });
}

function replacement({ type, action }: AppliedFinding, value: string, tokens: TokenSource): string {
  if (action === 'tokenise') return tokens.tokenFor(type, value);
  return action === 'drop' ? '' : maskFor(type);
}
