import type { JsonValue } from '../../../contracts/json.ts';
import type { ProviderFailure } from '../../../domain/model/provider-port.ts';
import type { AnswerBody } from './answer-body.ts';

/** An error that came in place of the reply, or in the middle of it, under a status of 200. */
export function errorInside(error: unknown, begun: boolean): ProviderFailure {
  const { code, status, message } = (typeof error === 'object' && error !== null ? error : { message: error }) as Record<string, unknown>;
  const said = code === 'rate_limit_exceeded' ? 429 : [status, code].map(Number).find((value) => value >= 400 && value < 600);
  const words = typeof message === 'string' ? message : JSON.stringify(error);
  return {
    type: 'failure',
    signal: { ...(said === undefined ? {} : { status: said }), body: { error: error as JsonValue } },
    begun,
    message: `An error ${begun ? 'in the middle' : 'in place'} of the reply: ${words}`.slice(0, 1_000),
  };
}

/** The error in a body that has nothing else, as gateways send it under a status of 200; null where there is a reply. */
export function errorInBody({ json }: AnswerBody): ProviderFailure | null {
  if (typeof json !== 'object' || json === null) return null;
  const { error, choices, output, usage } = json as Record<string, unknown>;
  if (error === undefined || error === null || choices || output) return null;
  return errorInside(error, Boolean(usage));
}
