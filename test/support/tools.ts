import type { z } from 'zod';
import type { toolDefinitionSchema } from '../../contracts/task.ts';
import type { Effect } from '../../contracts/tool.ts';
import type { Stage } from './stage.ts';

type ToolInput = z.input<typeof toolDefinitionSchema>;

/** Tools answering from a recording, one line for each call that is expected. */
export async function recordedTools(
  stage: Stage,
  effects: Readonly<Record<string, Effect>>,
  lines: readonly { readonly name: string; readonly arguments: object; readonly result: unknown }[],
): Promise<ToolInput[]> {
  const contentDigest = await stage.store.putContent(lines.map((line) => JSON.stringify(line)).join('\n'));
  return Object.entries(effects).map(([name, effect]) => ({
    name,
    effect,
    description: name,
    parameters: { type: 'object', properties: {} },
    binding: { type: 'recorded', contentDigest },
  }));
}

/** Tools at an HTTP server of the test. */
export function httpTools(url: string, effects: Readonly<Record<string, Effect>>): ToolInput[] {
  return Object.entries(effects).map(([name, effect]) => ({
    name,
    effect,
    description: name,
    parameters: { type: 'object', properties: {} },
    binding: { type: 'http', url },
  }));
}
