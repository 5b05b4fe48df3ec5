import canonicalize from 'canonicalize';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import type { ToolBindingRuntime } from '../../domain/tool/runtime-port.ts';

interface RecordedLine {
  readonly name: string;
  readonly arguments: JsonObject;
  readonly result: JsonValue;
}

/** Tools that answer from a recording: each line once a run, the first that fits; a retry gets the same line. */
export function createRecordedRuntime(store: Store): ToolBindingRuntime {
  return {
    destination: (tool) => `recording ${digestOf(tool).slice(0, 12)}`,
    dispatch: async (tool, args, { runKey, callKey }) => {
      const lines = await readLines(store, digestOf(tool));
      const wanted = canonicalize(args);
      const matching = lines.flatMap((line, index) => (line.name === tool.name && canonicalize(line.arguments) === wanted ? [index] : []));
      const claimed = await store.claimRecordedLine(runKey, callKey, matching);
      const line = claimed === null ? undefined : lines[claimed];
      if (line) return { type: 'done', result: line.result };
      const why = matching.length > 0 ? `has only ${matching.length}, all used` : 'has none';
      return { type: 'notDone', message: `The recording ${why} for ${tool.name} with these arguments.` };
    },
  };
}

function digestOf({ binding, name }: ToolDefinition): ContentDigest {
  if (binding.type !== 'recorded') throw new TollgateError('invariantBroken', `Tool "${name}" is bound to ${binding.type}, not to a recording.`);
  return binding.contentDigest as ContentDigest;
}

async function readLines(store: Store, digest: ContentDigest): Promise<readonly RecordedLine[]> {
  const text = await store.getContent(digest);
  if (text === null) throw new TollgateError('snapshotMissing', `The recording ${digest} is not in the store. Do client and worker use the same one?`);
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as RecordedLine]));
}
