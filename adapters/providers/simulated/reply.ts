import type { SimulatedUsage } from './price-list.ts';

export interface ReplyCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

/** What the model says, in no API's shape yet. */
export interface ReplyContent {
  readonly text: string | null;
  readonly refusal: string | null;
  readonly toolCalls: readonly ReplyCall[];
  /** No choices at all (chat), no output at all (responses). */
  readonly isEmpty: boolean;
  readonly finishReason: 'stop' | 'toolCalls' | 'length' | 'contentFilter';
}

export interface Reply {
  /** Hexadecimal; what the ids on the wire are made from. */
  readonly digest: string;
  readonly model: string;
  readonly content: ReplyContent;
  /** As charged. */
  readonly usage: SimulatedUsage;
  readonly reportsUsage: boolean;
  /** Ends with status `failed`, where the API has it. */
  readonly fails: boolean;
}

/** How the encrypted reasoning of a model begins. */
export function encryptedFor(model: string): string {
  return `simulated:${model}:`;
}
