import type { z } from 'zod';
import type { TaskDefinition } from '../../contracts/task.ts';
import type { ToolSpec } from './define.ts';

/** What a project's configuration came to, validated. */
export interface TaskRegistry {
  /** By name. */
  readonly tasks: ReadonlyMap<string, TaskDefinition>;
  /** TypeScript tools by `toolKey`. */
  readonly tools: ReadonlyMap<string, ToolSpec>;
  /** Output schemas of TypeScript tasks by task name; they may check more than their JSON Schema can say. */
  readonly outputs?: ReadonlyMap<string, z.ZodType>;
}

/** The key of a TypeScript tool in a registry: its name and version. */
export function toolKey(name: string, version: string): string {
  return `${name}@${version}`;
}
