import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import { brokenStream } from './broken-stream.ts';
import { errorInside } from './error-inside.ts';
import { type EventKind, readEvents, type ServerEvent, type StreamOptions } from './event-stream.ts';
import { readResponse } from './responses-mapping.ts';

/** Reads a streamed response. Its last event has all of it, so the pieces before are only counted, where their name stands beside them. */
export async function readResponseStream(response: Response, model: string, options: StreamOptions): Promise<ProviderResult> {
  let hasBegun = false;
  let final: unknown;
  let error: unknown;
  const take = ({ name, data }: ServerEvent): EventKind => {
    if (name?.endsWith('.delta')) {
      hasBegun = true;
      return 'piece';
    }
    const event = parsed(data);
    if (event === null) return 'unreadable';
    switch (event.type) {
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        final = event.response;
        return 'last';
      case 'error':
        error = event.error ?? { code: event.code, message: event.message };
        return 'last';
      case undefined:
        error = event.error;
        return error === undefined ? 'unreadable' : 'last';
      default:
        hasBegun = true;
        return event.type.endsWith('.delta') ? 'piece' : 'other';
    }
  };
  const end = await readEvents(response, options, take);
  if (final !== undefined) {
    const read = readResponse(final, model);
    if (read.type === 'ended') return read.result;
  }
  return error === undefined ? brokenStream(end, hasBegun, options.idleTimeoutMs) : errorInside(error, hasBegun);
}

interface Event {
  readonly type?: string;
  readonly response?: unknown;
  readonly error?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

function parsed(data: string): Event | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Event) : null;
  } catch {
    return null;
  }
}
