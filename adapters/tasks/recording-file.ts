import { z } from 'zod';
import { jsonObjectSchema } from '../../contracts/task.ts';
import type { Mistake } from './mistakes.ts';
import { type FieldGuide, schemaMistakes } from './schema-mistakes.ts';
import { jsonErrorPosition, jsonErrorReason } from './source-file.ts';

const recordedLineSchema = z.strictObject({ name: z.string().min(1), arguments: jsonObjectSchema, result: z.json() });

const GUIDE: FieldGuide = {
  name: 'the name of a tool',
  arguments: 'the arguments, a JSON object',
  result: 'the recorded result, any JSON value',
};

/** What is wrong with a file of recorded results: one `{name, arguments, result}` a line, empty lines apart. */
export function recordingMistakes(place: string, text: string): Mistake[] {
  return text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : lineMistakes(place, index + 1, line)));
}

function lineMistakes(place: string, line: number, text: string): Mistake[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return [{ place, line, column: jsonErrorPosition(text, error).column, message: `this line is not valid JSON: ${jsonErrorReason(error)}.` }];
  }
  const parsed = recordedLineSchema.safeParse(value);
  if (parsed.success) return [];
  return schemaMistakes(parsed.error, value, GUIDE).map(({ message }) => ({ place, line, column: 1, message }));
}
