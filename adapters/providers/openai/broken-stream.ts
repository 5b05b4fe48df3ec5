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
