import type { RedactionSettings } from '../../contracts/redaction.ts';
import { BlockCutter, blocksOf } from './blocks.ts';
import { FoundValues } from './found-values.ts';
import { redactJson } from './json.ts';
import { actionFor, regionsFor } from './policy.ts';
import type { AppliedFinding, Detector, RedactedText, RedactionOptions, Redactor, StreamRedactor } from './port.ts';
import { type BlockRules, DETECTOR_FAILURE, redactBlock, type Surroundings } from './redact-block.ts';
import { disarm, type KnownMarks } from './tokens.ts';

export interface RedactorParts {
  readonly settings: RedactionSettings;
  readonly detectors: readonly Detector[];
  /** Detectors of the patterns that the settings have for a tenant; the same objects each time. */
  readonly ownDetectors: (tenant: string) => readonly Detector[];
}

const ALONE: Surroundings = { before: '', after: '' };

export function createRedactor(parts: RedactorParts): Redactor {
  return {
    redactText: (text, options) => redactWhole(text, exitOf(parts, options), new FoundValues()),
    redactJson: (value, options) => {
      const exit = exitOf(parts, options);
      const found = new FoundValues();
      return redactJson(value, (text, around) => redactWhole(text, exit, found, around));
    },
    stream: (options) => streamThrough(exitOf(parts, options)),
  };
}

/** The rules of one exit, and which marks are genuine there. */
interface Exit {
  readonly rules: BlockRules;
  readonly known: KnownMarks | null;
}

function exitOf({ settings, detectors, ownDetectors }: RedactorParts, options: RedactionOptions): Exit {
  const all = [...detectors, ...ownDetectors(options.tenant), ...(options.also ?? [])];
  const isType = (type: string) => type === DETECTOR_FAILURE || all.some(({ types }) => types.includes(type));
  return {
    rules: {
      detectors: all,
      context: { regions: regionsFor(settings, options.tenant) },
      actionFor: (type) => actionFor(type, settings, options),
      tokens: options.tokens,
    },
    known: options.origin === 'outside' ? null : { tokens: options.tokens, isType },
  };
}

/** `around` a long text that falls into several blocks stands before the first and after the last. */
function redactWhole(text: string, exit: Exit, found: FoundValues, around: Surroundings = ALONE): RedactedText {
  const result = new Collected();
  let start = 0;
  for (const block of blocksOf(text)) {
    const end = start + block.length;
    result.add(redactOne(block, exit, found, { before: start === 0 ? around.before : '', after: end === text.length ? around.after : '' }), start);
    start = end;
  }
  return result.take();
}

function redactOne(block: string, { rules, known }: Exit, found: FoundValues, around: Surroundings) {
  const { text, marks } = disarm(block, known);
  return redactBlock(text, marks, { rules, found }, around);
}

function streamThrough(exit: Exit): StreamRedactor {
  const cutter = new BlockCutter();
  const found = new FoundValues();
  let pending = '';
  let given = 0;
  const give = (result: Collected, block: string) => {
    result.add(redactOne(block, exit, found, ALONE), given);
    given += block.length;
  };
  return {
    push(chunk) {
      const result = new Collected();
      let looked = pending.length;
      let start = 0;
      pending += chunk;
      for (let end = cutter.nextEnd(pending, start, looked); end !== null; end = cutter.nextEnd(pending, start, looked)) {
        give(result, pending.slice(start, end));
        start = end;
        looked = end;
      }
      pending = pending.slice(start);
      return result.take();
    },
    end() {
      const result = new Collected();
      if (pending !== '') give(result, pending);
      pending = '';
      return result.take();
    },
  };
}

class Collected {
  readonly #texts: string[] = [];
  readonly #findings: AppliedFinding[] = [];

  add({ text, findings }: { readonly text: string; readonly findings: readonly AppliedFinding[] }, offset: number): void {
    this.#texts.push(text);
    for (const finding of findings) this.#findings.push(offset === 0 ? finding : { ...finding, start: finding.start + offset, end: finding.end + offset });
  }

  take(): RedactedText {
    return { text: this.#texts.join(''), findings: this.#findings, blocked: blockedTypes(this.#findings) };
  }
}

/** Types that block, each once. */
export function blockedTypes(findings: readonly AppliedFinding[]): string[] {
  return [...new Set(findings.flatMap(({ type, action }) => (action === 'block' ? [type] : [])))];
}
