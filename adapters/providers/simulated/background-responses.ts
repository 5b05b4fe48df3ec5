import { renameSync, writeFileSync } from 'node:fs';
import type { Bill, BillEntry } from './bill.ts';
import { appendJsonLine, openJsonLines } from './json-lines.ts';
import { chargeFor, type FindModel, NO_USAGE, type SimulatedUsage } from './price-list.ts';
import { unfinishedResponse, type WireResponse } from './responses-reply.ts';
import { RefusedRequest } from './wire-request.ts';

const MAX_KEPT_RESPONSES = 1_000;
const MAX_QUEUED_MS = 50;
const LINES_BETWEEN_REWRITES = 4_000;

/** A background response as accepted. What it will say and cost is decided then, so a restart changes neither. */
export interface BackgroundRecord {
  readonly type: 'accepted';
  readonly response: WireResponse;
  /** The charge for the whole work. */
  readonly entry: BillEntry;
  readonly acceptedAtMs: number;
  /** Null where the work never ends; such a response is charged when it is accepted, as its entry says. */
  readonly readyAtMs: number | null;
}

interface Kept extends BackgroundRecord {
  cancelledAtMs: number | null;
  timer: NodeJS.Timeout | null;
}

export interface BackgroundResponses {
  /** @throws RefusedRequest 429 while 1,000 responses are unfinished. */
  accept(record: BackgroundRecord): WireResponse;
  /** The response as it stands, or null where it is not known. */
  get(id: string): WireResponse | null;
  /** Stops the work and charges the part that was done; leaves a finished response as it is. */
  cancel(id: string): WireResponse | null;
  /** Forgets a response for good; what it has cost stays on the bill. Null where it is not known. */
  delete(id: string): { readonly id: string; readonly object: 'response'; readonly deleted: true } | null;
  /** Charges to come, of responses that are not finished. */
  unbilled(): BillEntry[];
  close(): void;
}

/** Opens the file that keeps background responses beside the bill, and goes on with the work that was under way. */
export function openBackgroundResponses(path: string, bill: Bill, findModel: FindModel): BackgroundResponses {
  const keep = new Keep(path, bill, findModel);
  keep.restore();
  return keep;
}

class Keep implements BackgroundResponses {
  readonly #path: string;
  readonly #bill: Bill;
  readonly #findModel: FindModel;
  readonly #kept = new Map<string, Kept>();
  readonly #billed = new Set<string>();
  #linesSinceRewrite = 0;

  constructor(path: string, bill: Bill, findModel: FindModel) {
    this.#path = path;
    this.#bill = bill;
    this.#findModel = findModel;
    for (const { responseId } of bill.find()) if (responseId !== undefined) this.#billed.add(responseId);
  }

  restore(): void {
    for (const line of openJsonLines(this.#path)) {
      if (isAccepted(line)) this.#kept.set(line.response.id, { ...line, cancelledAtMs: null, timer: null });
      else if (isCancelled(line)) this.#markCancelled(line.id, line.atMs);
    }
    this.#forgetOldest(MAX_KEPT_RESPONSES);
    this.#rewrite();
    for (const kept of this.#kept.values()) if (kept.cancelledAtMs !== null) this.#charge(kept);
    for (const kept of this.#kept.values()) this.#schedule(kept);
  }

  accept(record: BackgroundRecord): WireResponse {
    this.#forgetOldest(MAX_KEPT_RESPONSES - 1);
    if (this.#kept.size >= MAX_KEPT_RESPONSES)
      throw new RefusedRequest(429, `${MAX_KEPT_RESPONSES} background responses are unfinished.`, 'rate_limit_exceeded');
    this.#append(record);
    const kept: Kept = { ...record, cancelledAtMs: null, timer: null };
    this.#kept.set(record.response.id, kept);
    this.#schedule(kept);
    if (this.#linesSinceRewrite >= LINES_BETWEEN_REWRITES) this.#rewrite();
    return unfinishedResponse(record.response, 'queued', null);
  }

  get(id: string): WireResponse | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    const now = Date.now();
    if (kept.cancelledAtMs !== null) return unfinishedResponse(kept.response, 'cancelled', usageUntil(kept, kept.cancelledAtMs));
    if (kept.readyAtMs !== null && now >= kept.readyAtMs) {
      this.#charge(kept);
      return kept.response;
    }
    return unfinishedResponse(kept.response, now < startOfWork(kept) ? 'queued' : 'in_progress', null);
  }

  cancel(id: string): WireResponse | null {
    const kept = this.#kept.get(id);
    const now = Date.now();
    const isOpen = kept && kept.cancelledAtMs === null && (kept.readyAtMs === null || now < kept.readyAtMs);
    if (isOpen) {
      this.#append({ type: 'cancelled', id, atMs: now });
      this.#markCancelled(id, now);
      this.#charge(kept);
    }
    return this.get(id);
  }

  delete(id: string) {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    this.cancel(id);
    this.#charge(kept);
    this.#kept.delete(id);
    this.#rewrite();
    return { id, object: 'response', deleted: true } as const;
  }

  unbilled(): BillEntry[] {
    return [...this.#kept.values()].flatMap((kept) => (this.#billed.has(kept.response.id) ? [] : [kept.entry]));
  }

  close(): void {
    for (const { timer } of this.#kept.values()) if (timer) clearTimeout(timer);
  }

  /** Charges once, whatever brings it here: the timer, a look, a cancellation or a restart. */
  #charge(kept: Kept): void {
    const { id } = kept.response;
    if (this.#billed.has(id)) return;
    const usage = usageUntil(kept, kept.cancelledAtMs ?? kept.readyAtMs ?? kept.acceptedAtMs);
    const model = this.#findModel(kept.entry.model);
    const fault = kept.cancelledAtMs === null ? {} : { fault: 'cancelled' };
    const nanoUsd = kept.entry.nanoUsd === 0 || !model ? 0 : chargeFor(model, usage);
    this.#bill.add({ ...kept.entry, ...usage, nanoUsd, ...fault, at: new Date().toISOString() });
    this.#billed.add(id);
  }

  #schedule(kept: Kept): void {
    if (kept.cancelledAtMs !== null || this.#billed.has(kept.response.id)) return;
    if (kept.readyAtMs === null) this.#charge(kept);
    else kept.timer = setTimeout(() => this.#chargeOnTime(kept), Math.max(0, kept.readyAtMs - Date.now()));
  }

  #chargeOnTime(kept: Kept): void {
    try {
      this.#charge(kept);
    } catch {
      // A bill that can't be written must not end the process: whoever asks for the response next meets the error.
    }
  }

  #append(line: object): void {
    appendJsonLine(this.#path, line);
    this.#linesSinceRewrite += 1;
  }

  #markCancelled(id: string, atMs: number): void {
    const kept = this.#kept.get(id);
    if (!kept) return;
    kept.cancelledAtMs = atMs;
    if (kept.timer) clearTimeout(kept.timer);
  }

  /** Forgets finished responses, the oldest first, until `most` are left or none is finished. */
  #forgetOldest(most: number): void {
    if (this.#kept.size <= most) return;
    for (const id of [...this.#kept.keys()]) {
      if (this.#kept.size <= most) return;
      if (this.#billed.has(id)) this.#kept.delete(id);
    }
  }

  /** Leaves in the file what is still kept. The old file stands until the new one is whole. */
  #rewrite(): void {
    const lines = [...this.#kept.values()].flatMap(({ cancelledAtMs, timer: _timer, ...record }) => [
      record,
      ...(cancelledAtMs === null ? [] : [{ type: 'cancelled', id: record.response.id, atMs: cancelledAtMs }]),
    ]);
    writeFileSync(`${this.#path}.new`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    renameSync(`${this.#path}.new`, this.#path);
    this.#linesSinceRewrite = 0;
  }
}

function startOfWork(record: BackgroundRecord): number {
  const workMs = (record.readyAtMs ?? Number.POSITIVE_INFINITY) - record.acceptedAtMs;
  return record.acceptedAtMs + Math.min(MAX_QUEUED_MS, workMs / 10);
}

/** Input is paid for once work has begun; output grows evenly until the work is done. Endless work costs what its entry says. */
function usageUntil(record: BackgroundRecord, atMs: number): SimulatedUsage {
  const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = record.entry;
  if (record.readyAtMs === null || atMs >= record.readyAtMs) return { inputTokens, cachedTokens, outputTokens, reasoningTokens };
  const startedAt = startOfWork(record);
  if (atMs < startedAt) return NO_USAGE;
  const done = (atMs - startedAt) / (record.readyAtMs - startedAt);
  return { inputTokens, cachedTokens, outputTokens: Math.floor(outputTokens * done), reasoningTokens: Math.floor(reasoningTokens * done) };
}

function isAccepted(line: unknown): line is BackgroundRecord {
  return typeof line === 'object' && line !== null && 'type' in line && line.type === 'accepted' && 'response' in line && 'entry' in line;
}

function isCancelled(line: unknown): line is { readonly id: string; readonly atMs: number } {
  return typeof line === 'object' && line !== null && 'type' in line && line.type === 'cancelled' && 'id' in line && 'atMs' in line;
}
