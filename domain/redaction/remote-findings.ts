import type { JsonValue } from '../../contracts/json.ts';
import { blocksOf } from './blocks.ts';
import type { DetectionContext, Detector, Finding, RemoteDetector } from './port.ts';

const LETTER = /\p{L}/u;
const WITHIN_WORD = /[\p{L}\p{N}]{2}/u;

/** What remote detectors say about some texts, as a detector for `RedactionOptions.also`. */
export interface RemoteFindings {
  readonly detector: Detector;
  /** Names of those that failed or were late, each once: the settings' `onDetectorFailure` says whether the texts may go on. */
  readonly failed: readonly string[];
}

/**
 * Asks every remote detector about every string of a value ahead, because redaction itself waits for nothing. Asks about a text
 * once. The detector knows the texts it was asked about and those that were made of them by replacing what others found first.
 */
export async function remoteFindings(
  value: JsonValue,
  remotes: readonly RemoteDetector[],
  context: DetectionContext,
  signal: AbortSignal,
): Promise<RemoteFindings> {
  const failed = new Set<string>();
  const values = new Map<string, Set<string>>();
  const ask = async (remote: RemoteDetector, text: string) => {
    try {
      for (const { type, start, end } of await remote.find(text, context, signal)) addTo(values, type, text.slice(start, end));
    } catch {
      failed.add(remote.name);
    }
  };
  for (const text of textsOf(value)) await Promise.all(remotes.map((remote) => ask(remote, text)));
  return { detector: detectorOf(values), failed: [...failed] };
}

/** Finds the values again wherever they stand, which a list of offsets would not survive: one round of replacing moves them all. */
function detectorOf(values: ReadonlyMap<string, ReadonlySet<string>>): Detector {
  return {
    name: 'remote',
    types: [...values.keys()],
    find: (text) => [...values].flatMap(([type, known]) => [...known].flatMap((value) => placesOf(value, text, type))),
  };
}

function placesOf(value: string, text: string, type: string): Finding[] {
  const places: Finding[] = [];
  for (let start = text.indexOf(value); start !== -1; start = text.indexOf(value, start + value.length))
    if (isWholeWord(text, start) && isWholeWord(text, start + value.length)) places.push({ type, start, end: start + value.length });
  return places;
}

/** `Al` is not found in `Always`. */
function isWholeWord(text: string, edge: number): boolean {
  return !WITHIN_WORD.test(text.slice(Math.max(0, edge - 1), edge + 1));
}

function textsOf(value: JsonValue): Set<string> {
  const texts = new Set<string>();
  const open: JsonValue[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string') addBlocks(texts, next);
    else if (isList(next)) for (const item of next) open.push(item);
    else if (typeof next === 'object' && next !== null) for (const [key, inner] of Object.entries(next)) open.push(key, inner);
  }
  return texts;
}

function addBlocks(texts: Set<string>, text: string): void {
  for (const block of blocksOf(text)) if (LETTER.test(block)) texts.add(block);
}

function addTo(values: Map<string, Set<string>>, type: string, value: string): void {
  if (value.trim() === '') return;
  const known = values.get(type);
  if (known) known.add(value);
  else values.set(type, new Set([value]));
}

/** `Array.isArray` does not narrow a readonly list. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
