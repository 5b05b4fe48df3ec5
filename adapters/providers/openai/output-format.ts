import type { OutputFormat } from '../../../contracts/model.ts';

/** The parts of an output format that chat and responses spell alike. */
export function wireFormat({ name, schema, strict }: OutputFormat): { name: string; schema: Record<string, unknown>; strict: boolean } {
  return { name, schema: { ...schema }, strict };
}
