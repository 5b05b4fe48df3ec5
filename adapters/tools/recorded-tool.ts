import canonicalize from 'canonicalize';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { jsonObjectSchema, type ToolDefinition } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import type { ToolBindingRuntime } from '../../domain/tool/runtime-port.ts';

/** Recordings kept parsed. Their digests name contents that never change. */
const MAX_KEPT_RECORDINGS = 16;

interface RecordedLine {
  /** Counted from 1, empty lines too, as an editor does. */
  readonly line: number;
  readonly name: string;
  readonly canonicalArguments: string;
  readonly result: JsonValue;
}

/** Tools that answer from a recording: each line once a run, the first that fits; a retry gets the same line. */
export function createRecordedRuntime(store: Store): ToolBindingRuntime {
  const kept = new Map<ContentDigest, readonly RecordedLine[]>();
  return {
    destination: (tool) => `recording ${digestOf(tool).slice(0, 12)}`,
    dispatch: async (tool, args, { runKey, callKey }) => {
      const recording = digestOf(tool);
      const lines = kept.get(recording) ?? (await readLines(store, recording));
      keep(kept, recording, lines);
      const wanted = canonicalize(args);
      const matching = lines.filter((line) => line.name === tool.name && line.canonicalArguments === wanted);
      const claimed = await store.claimRecordedLine(
        runKey,
        callKey,
        matching.map(({ line }) => line),
        recording,
      );
      const answer = lines.find(({ line }) => line === claimed);
      if (answer) return { type: 'done', result: answer.result };
      const why = matching.length > 0 ? `has only ${matching.length}, all used` : 'has none';
      return { type: 'notDone', message: `The recording ${why} for ${tool.name} with these arguments.` };
    },
  };
}

function keep(kept: Map<ContentDigest, readonly RecordedLine[]>, recording: ContentDigest, lines: readonly RecordedLine[]): void {
  kept.delete(recording);
  kept.set(recording, lines);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT_RECORDINGS && oldest) kept.delete(oldest);
}

function digestOf({ binding, name }: ToolDefinition): ContentDigest {
  if (binding.type !== 'recorded') throw new TollgateError('invariantBroken', `Tool "${name}" is bound to ${binding.type}, not to a recording.`);
  return binding.contentDigest as ContentDigest;
}

async function readLines(store: Store, digest: ContentDigest): Promise<readonly RecordedLine[]> {
  const text = await store.getContent(digest);
  if (text === null) throw new TollgateError('snapshotMissing', `The recording ${digest} is not in the store. Do client and worker use the same one?`);
  return text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [parseLine(line, index + 1, digest)]));
}

const recordedLineSchema = z.object({ name: z.string(), arguments: jsonObjectSchema, result: z.json() });

function parseLine(text: string, line: number, digest: ContentDigest): RecordedLine {
  try {
    const recorded = recordedLineSchema.parse(JSON.parse(text));
    return { line, name: recorded.name, canonicalArguments: canonicalize(recorded.arguments) ?? '', result: recorded.result };
  } catch (cause) {
    throw new TollgateError(
      'invalidInput',
      `Line ${line} of the recording ${digest.slice(0, 12)} is no {"name", "arguments", "result"}. Correct the file and start the run again.`,
      { cause },
    );
  }
}
