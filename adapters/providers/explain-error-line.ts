import { z } from 'zod';
import type { ErrorSignal, ErrorVerdict } from '../../contracts/model.ts';
import { classifyError } from '../../domain/model/error-classifier.ts';

const lineSchema = z.object({
  id: z.union([z.string(), z.number()]),
  provider: z.string().optional(),
  status: z.int().min(100).max(599).optional(),
  headers: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  body: z.json().optional(),
  transport: z.enum(['timeout', 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'TLS']).optional(),
});

export type ExplainedLine = ({ readonly id: string | number } & ErrorVerdict) | { readonly id: string | number | null; readonly error: string };

/** One line of `tollgate explain-error`: the verdict that a run would act on. Never throws. */
export function explainErrorLine(line: unknown, nowMs: number): ExplainedLine {
  const parsed = lineSchema.safeParse(line);
  if (!parsed.success) {
    const id = (line as { id?: unknown } | null)?.id;
    return {
      id: typeof id === 'string' || typeof id === 'number' ? id : null,
      error: `not a line of {"id","status"?,"headers"?,"body"?,"transport"?}: ${z.prettifyError(parsed.error)}`,
    };
  }
  const { id, provider, status, headers, body, transport } = parsed.data;
  const signal: ErrorSignal = {
    ...(provider === undefined ? {} : { provider }),
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])) }),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? parsedBody(body) : body }),
    ...(transport === undefined ? {} : { transport }),
  };
  return { id, ...classifyError(signal, nowMs) };
}

function parsedBody(text: string): NonNullable<ErrorSignal['body']> {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
