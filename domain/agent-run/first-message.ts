import type { JsonObject } from '../../contracts/json.ts';

/** The first user message of a run: the input's `message`, and what else the input says as JSON below it. */
export function firstUserMessage(input: JsonObject): string {
  const { message, ...rest } = input;
  if (typeof message !== 'string') return JSON.stringify(input, null, 2);
  return Object.keys(rest).length === 0 ? message : `${message}\n\n${JSON.stringify(rest, null, 2)}`;
}
