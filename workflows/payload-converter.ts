import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/workflow';
import { marked, noticeCodec } from './readable.ts';

/** What stands in for a payload that cannot be read. */
export interface Undecodable {
  readonly type: 'undecodable';
  readonly reason: string;
}

/**
 * The default converter, but reading never throws: a payload that nobody can read would fail the workflow task before
 * any handler sees it, again and again, and the run with it. Signals are open to everybody who reaches the namespace.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, ...rest) => marked(value, defaultPayloadConverter.toPayload(value, ...rest)),
  fromPayload: <T>(...args: Parameters<PayloadConverter['fromPayload']>): T => {
    try {
      noticeCodec(args[0]);
      return defaultPayloadConverter.fromPayload<T>(...(args as Parameters<typeof defaultPayloadConverter.fromPayload<T>>));
    } catch (error) {
      const undecodable: Undecodable = { type: 'undecodable', reason: error instanceof Error ? error.message : 'unreadable payload' };
      return undecodable as T;
    }
  },
};
