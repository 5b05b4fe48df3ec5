import { TollgateError } from '../../../contracts/failures.ts';
import { appendJsonLine, openJsonLines } from './json-lines.ts';

const MAX_ENTRIES = 500_000;

/** One line of the bill. A request has at most one; one that was charged nothing has `nanoUsd` 0. */
export interface BillEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly requestId: string;
  /** Header `x-client-request-id`, else the metadata of that name. */
  readonly clientRequestId: string | null;
  /** The run where the request names one, else a digest of its system and first user message. */
  readonly conversation: string;
  readonly tollgateRun?: string;
  readonly api: 'chat' | 'responses';
  readonly model: string;
  readonly scenario: string;
  readonly turn: number;
  /** 1 for the first request of this conversation, turn and model. */
  readonly attempt: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly nanoUsd: number;
  readonly fault?: string;
  /** A background response, charged when its work was done or cancelled. */
  readonly responseId?: string;
}

export interface BillFilter {
  readonly clientRequestId?: string | undefined;
  /** A conversation or a run. */
  readonly conversation?: string | undefined;
}

export interface Bill {
  /** Appends to the file before it returns. @throws TollgateError storeFull at 500,000 entries. */
  add(entry: BillEntry): void;
  find(filter?: BillFilter): BillEntry[];
}

/** Opens the bill of the simulated provider, which goes on where an earlier process left it. */
export function openBill(path: string): Bill {
  const entries = openJsonLines(path).filter(isBillEntry);
  const byRequest = new Map<string, BillEntry[]>();
  const index = (entry: BillEntry): void => {
    if (entry.clientRequestId !== null) byRequest.set(entry.clientRequestId, [...(byRequest.get(entry.clientRequestId) ?? []), entry]);
  };
  entries.forEach(index);
  return {
    add(entry) {
      if (entries.length >= MAX_ENTRIES) throw new TollgateError('storeFull', `The bill has ${MAX_ENTRIES} entries. Move ${path} away and restart.`);
      appendJsonLine(path, entry);
      entries.push(entry);
      index(entry);
    },
    find({ clientRequestId, conversation } = {}) {
      const found = clientRequestId === undefined ? entries : (byRequest.get(clientRequestId) ?? []);
      return found.filter((entry) => conversation === undefined || entry.conversation === conversation || entry.tollgateRun === conversation);
    },
  };
}

function isBillEntry(value: unknown): value is BillEntry {
  return typeof value === 'object' && value !== null && 'nanoUsd' in value && typeof value.nanoUsd === 'number' && 'requestId' in value;
}
