import type { z } from 'zod';
import type { ApiKeyScope } from '../../domain/store/port.ts';
import { PROBLEM_TYPE } from './problem.ts';
import { problemSchema } from './schemas.ts';

export interface RouteTexts {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
}

/** What every route answers where something is wrong. */
export const PROBLEMS = {
  '4xx': { description: 'The request can not be done.', content: { [PROBLEM_TYPE]: { schema: problemSchema } } },
  '5xx': { description: 'It can not be done now.', content: { [PROBLEM_TYPE]: { schema: problemSchema } } },
} as const;

/** An answer in JSON, with the words that the OpenAPI document has for it. */
export function json<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { 'application/json': { schema } } } as const;
}

/** Words and security of a route. */
export function described({ tags, ...texts }: RouteTexts, scope: ApiKeyScope) {
  const description = `${texts.description === undefined ? '' : `${texts.description} `}Scope: ${scope}.`;
  return { ...texts, tags: [...tags], description, security: [{ apiKey: [] }] };
}

/** A report as an answer. It is the same JSON; only the compiler wants to hear that there may be further fields. */
export function onTheWire<Schema extends z.ZodType>(_schema: Schema, report: unknown): z.output<Schema> {
  return report as z.output<Schema>;
}
