import type { Json } from './format.ts';

type Edited = { readonly type: 'edited'; readonly value: { readonly [key: string]: Json } } | { readonly type: 'mistake'; readonly why: string };

/** The whole new arguments object, or what is wrong with the text. */
export function readArguments(text: string, before: Json): Edited {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return { type: 'mistake', why: `This is no JSON: ${error instanceof Error ? error.message : 'it can’t be read'}.` };
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { type: 'mistake', why: 'The arguments are one object, in braces.' };
  if (JSON.stringify(value) === JSON.stringify(before)) return { type: 'mistake', why: 'Nothing is changed yet.' };
  return { type: 'edited', value: value as { readonly [key: string]: Json } };
}
