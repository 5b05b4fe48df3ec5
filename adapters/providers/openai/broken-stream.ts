import type { JsonValue } from '../../../contracts/json.ts';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import type { StreamEnd } from './event-stream.ts';
import { toFailure } from './failure.ts';

/** A stream that ended before its reply did. `begun`: some of the reply had come. */
export function brokenStream(end: StreamEnd, begun: boolean, idleTimeoutMs: number): ProviderResult {
  const had = begun ? 'part of it had come, so its money stays held' : 'nothing of it had come';
  switch (end.type) {
    case 'aborted':
      return { type: 'failure', signal: { transport: 'timeout' }, begun, message: `No whole reply within the deadline; ${had}.` };
    case 'idle':
      return { type: 'failure', signal: { transport: 'timeout' }, begun, message: `The reply stopped in the middle, for ${idleTimeoutMs} ms; ${had}.` };
    case 'cut':
      return { ...toFailure(end.error), begun } as ProviderResult;
    case 'unreadable':
      return { type: 'failure', signal: { status: 200 }, begun, message: `The stream has something that can't be read; ${had}.` };
    case 'done':
    case 'closed':
      return { type: 'failure', signal: { transport: 'ECONNRESET' }, begun, message: `The stream ended before the reply did; ${had}.` };
  }
}

/** An error that came in place of the reply, or in the middle of it, under a status of 200. */
export function errorInside(error: unknown, begun: boolean): ProviderResult {
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
