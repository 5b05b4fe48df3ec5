import type { Payload } from '@temporalio/workflow';

/*
 * All runs of a worker share what is kept here (`worker/workflow-bundle.ts`). A text is taken out in the very call of the SDK
 * that it was made for, before any other run has its turn; that there is a codec is so for all of them.
 */
const ONE = new Uint8Array([0x31]);
/** Few at a time: each is taken out when it is written. */
const MAX_WAITING = 100;
const waiting = new Set<string>();
let isCodecThere = false;

/** A summary or details for people: stays readable in the Temporal Web UI also where payloads are sealed. Nothing raw may be in it. */
export function readable(text: string): string {
  if (waiting.size >= MAX_WAITING) waiting.clear();
  waiting.add(text);
  return text;
}

/** A payload for `value`, marked for the codec where there is one and the value is to stay readable. */
export function marked(value: unknown, payload: Payload): Payload {
  if (typeof value !== 'string' || !waiting.delete(value) || !isCodecThere) return payload;
  return { ...payload, metadata: { ...payload.metadata, readable: ONE } };
}

/** Notices what the codec leaves on every payload that went through it. */
export function noticeCodec(payload: Payload): void {
  if (payload.metadata?.codec) isCodecThere = true;
}

/** Whether payloads are sealed on their way out; then what failures say has to be in one. */
export function seals(): boolean {
  return isCodecThere;
}
