import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import { errorInside } from './broken-stream.ts';

export interface AnswerBody {
  /** Undefined, which no mapping takes for a reply, where the body is no JSON. */
  readonly json: unknown;
}

/** The whole body of an answer. @throws what the connection broke with. */
export async function readBody(response: Response): Promise<AnswerBody> {
  const text = await response.text();
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { json: undefined };
  }
}

/** The error in a body that has nothing else, as gateways send it under a status of 200; null where there is a reply. */
export function errorInBody({ json }: AnswerBody): ProviderResult | null {
  if (typeof json !== 'object' || json === null) return null;
  const { error, choices, output, usage } = json as Record<string, unknown>;
  if (error === undefined || error === null || choices || output) return null;
  return errorInside(error, Boolean(usage));
}
