import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunPosition } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import { acceptReply, completeCall, endRun, enterMessages, receiveMessage, startPosition, withAnswer } from '../../domain/agent-run/position.ts';
import { inlineBytes, MAX_INLINE_MESSAGE_BYTES, messageRoom, readUserMessage } from '../../domain/agent-run/user-message.ts';
import { emptyLedger } from '../../domain/budget/ledger.ts';
import { holdsFor } from '../support/property.ts';

const ledger = emptyLedger(1_000 as NanoUsd);
const start = startPosition({ attemptId: null, nodeIds: ['input'] }, ledger);
const reply = (id: string, ...calls: ('read' | 'write')[]) => ({
  attemptId: id as AttemptId,
  model: 'a',
  calls: calls.map((effect) => ({ tool: effect, effect, valid: true })),
  ledger,
});

describe('the guard', () => {
  test('never throws and never lets through what is no message, whatever it is given', () => {
    holdsFor(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), (value) => {
      const read = readUserMessage(value);
      if (read) expect(read.messageId).toMatch(/^[A-Za-z0-9]/);
    });
  });

  test('an undecodable payload, an empty text, a bad id and a text too long are no messages', () => {
    expect(readUserMessage({ type: 'undecodable', reason: 'x' })).toBeNull();
    expect(readUserMessage({ messageId: 'm', text: '  ' })).toBeNull();
    expect(readUserMessage({ messageId: 'm m', text: 'hi' })).toBeNull();
    expect(readUserMessage({ messageId: 'x'.repeat(65), text: 'hi' })).toBeNull();
    expect(readUserMessage({ messageId: 'm', text: 'x'.repeat(MAX_INLINE_MESSAGE_BYTES) })).toBeNull();
    expect(readUserMessage({ messageId: 'm', text: '\u0001'.repeat(MAX_INLINE_MESSAGE_BYTES / 4) })).toBeNull();
    expect(readUserMessage({ messageId: 'm', contentDigest: 'no digest' })).toBeNull();
    expect(readUserMessage({ messageId: 'm', text: 'hi', sender: 7 })).toBeNull();
  });

  test('what it lets through carries nothing but the message', () => {
    expect(readUserMessage({ messageId: 'm', text: 'hi', role: 'system', sender: '' })).toEqual({ messageId: 'm', text: 'hi' });
    expect(readUserMessage({ messageId: 'm', contentDigest: 'a'.repeat(64), sender: 'eve' })).toEqual({
      messageId: 'm',
      contentDigest: 'a'.repeat(64),
      sender: 'eve',
    });
  });

  test('a text is counted in the bytes that its JSON has', () => {
    holdsFor(fc.string({ unit: 'binary' }), (text) => expect(inlineBytes(text)).toBe(Buffer.byteLength(JSON.stringify(text), 'utf8')));
  });
});

describe('a message in the position of a run', () => {
  test("waits until the results of the reply's calls are there, and then stands after them", () => {
    let position: RunPosition = acceptReply(start, reply('r1', 'read', 'write'));
    position = receiveMessage(completeCall(position, 0, 'n0'), 'm1', 9);
    expect(enterMessages(completeCall(position, 1, 'n1')).head).toEqual({ attemptId: 'r1', nodeIds: ['n0', 'n1', 'm1'] });
  });

  test('never stands between calls and results, whenever it comes', () => {
    holdsFor(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 })), ([calls, arrivals]) => {
      let position: RunPosition = acceptReply(start, reply('r1', ...Array.from({ length: calls }, () => 'write' as const)));
      const arriveAt = (moment: number) => {
        for (const [index, at] of arrivals.entries()) if (at === moment) position = receiveMessage(position, `m${index}`, 9);
      };
      for (let index = 0; index < calls; index += 1) {
        arriveAt(index);
        position = completeCall(position, index, `n${index}`);
      }
      for (let late = calls; late <= 5; late += 1) arriveAt(late);
      const { nodeIds } = enterMessages(position).head;
      expect(nodeIds.slice(0, calls)).toEqual(Array.from({ length: calls }, (_, index) => `n${index}`));
      expect(nodeIds.slice(calls).toSorted()).toEqual(arrivals.map((_, index) => `m${index}`).toSorted());
      expect(enterMessages(enterMessages(position))).toEqual(enterMessages(position));
    });
  });

  test('takes a run that has its answer one step further, from that answer', () => {
    const answered = acceptReply(start, reply('r1'));
    const position = enterMessages(receiveMessage(receiveMessage(answered, 'm1', 9), 'm2', 9));
    expect(position).toMatchObject({ step: 2, end: null, head: { attemptId: 'r1', nodeIds: ['m1', 'm2'] } });
    expect(withAnswer(position, { status: 'budgetExhausted', message: 'x' })).toMatchObject({ outputAttemptId: 'r1' });
    expect(withAnswer(position, { status: 'completed', message: 'x', outputAttemptId: 'r2' as AttemptId })).toMatchObject({ outputAttemptId: 'r2' });
  });

  test('does not take a run beyond its last step, and the answer says so', () => {
    const position = receiveMessage(acceptReply(start, reply('r1')), 'm1', 1);
    expect(position.end).toMatchObject({ status: 'completed', outputAttemptId: 'r1', message: expect.stringContaining('was not answered') });
  });

  test('does not bring back a run that ended without an answer', () => {
    const ended = endRun(start, { status: 'denied', message: 'no' });
    expect(receiveMessage(ended, 'm1', 9).end).toEqual(ended.end);
  });
});

test('a run has room for so many messages at once and in all, and never for fewer than none', () => {
  const limits = { maxMessages: 5, maxPendingMessages: 2 };
  expect(messageRoom(0, 0, limits)).toBe(2);
  expect(messageRoom(4, 1, limits)).toBe(1);
  expect(messageRoom(5, 0, limits)).toBe(0);
  expect(messageRoom(9, 9, limits)).toBe(0);
  expect(messageRoom(0, 0, {})).toBeGreaterThan(0);
});
