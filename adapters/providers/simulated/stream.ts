import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from './scenario.ts';

/** One event as it goes over the wire. */
export interface StreamEvent {
  readonly text: string;
  /** A part of what the model says, which takes the model time and costs output tokens. */
  readonly isPiece: boolean;
}

/** Faults that need a stream to happen in. A request that is not streamed does not meet them. */
export type StreamFault = Extract<
  Fault,
  { type: 'cutStream' | 'hangInStream' | 'errorInStream' | 'endsEarly' | 'malformedChunk' | 'emptyStream' | 'noDone' | 'slowStream' }
>;

const STREAM_FAULTS: ReadonlySet<string> = new Set<StreamFault['type']>([
  'cutStream',
  'hangInStream',
  'errorInStream',
  'endsEarly',
  'malformedChunk',
  'emptyStream',
  'noDone',
  'slowStream',
]);

export function isStreamFault(fault: Fault | null): fault is StreamFault {
  return fault !== null && STREAM_FAULTS.has(fault.type);
}

const DEFAULT_AFTER_CHUNKS = 2;
const DEFAULT_CHUNK_DELAY_MS = 20;

export interface StreamPlan {
  readonly events: readonly StreamEvent[];
  readonly fault: StreamFault;
  /** The event that an error is told with. */
  readonly errorEvent: (code: string) => string;
  /** Charges for the input and this share of the output, 0 to 1; null charges nothing. Only the first call counts. */
  readonly charge: (share: number | null) => void;
}

/** Plays a stream that goes wrong, or goes slowly. What was generated is charged before anybody can know of it. */
export async function playStream(response: ServerResponse, plan: StreamPlan, closing: AbortSignal): Promise<void> {
  const { events, fault, charge } = plan;
  const total = events.filter(({ isPiece }) => isPiece).length;
  const end = endOf(events, fault);
  let sent = 0;
  const share = () => (total === 0 ? 1 : sent / total);
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.flushHeaders();
  for (const event of events.slice(0, end)) {
    if (event.isPiece && fault.type === 'slowStream')
      await wait(fault.chunkDelayMs ?? DEFAULT_CHUNK_DELAY_MS, undefined, { signal: closing }).catch(() => response.destroy());
    if (response.destroyed) return charge(share());
    if (event.isPiece) sent += 1;
    else if (sent === total && end === events.length) charge(1);
    response.write(event.text);
  }
  charge(fault.type === 'errorInStream' && end === 0 ? null : fault.type === 'emptyStream' ? 1 : share());
  await finish(response, plan);
}

/** How many events go out before the fault. */
function endOf(events: readonly StreamEvent[], fault: StreamFault): number {
  switch (fault.type) {
    case 'slowStream':
      return events.length;
    case 'noDone':
      return events.length - 1;
    case 'emptyStream':
      return 0;
    default: {
      const after = fault.afterChunks ?? DEFAULT_AFTER_CHUNKS;
      const places = events.flatMap(({ isPiece }, index) => (isPiece ? [index + 1] : []));
      return after === 0 ? 0 : (places[Math.min(after, places.length) - 1] ?? 0);
    }
  }
}

async function finish(response: ServerResponse, { fault, errorEvent }: StreamPlan): Promise<void> {
  switch (fault.type) {
    case 'hangInStream':
      return;
    case 'cutStream':
      await new Promise<void>((resolve) => response.write(':\n\n', () => resolve()));
      response.destroy();
      return;
    case 'errorInStream':
      response.end(errorEvent(fault.code ?? 'server_error'));
      return;
    case 'malformedChunk':
      response.end('data: {"id":"sim","choices":[{"del\n\n');
      return;
    default:
      response.end();
  }
}
