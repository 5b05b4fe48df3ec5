import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ReplyWait } from '../../activities/model/reply-wait.ts';

let cancellation: AbortController;
let stopped: string[];
let wait: ReplyWait;
beforeEach(() => {
  vi.useFakeTimers();
  cancellation = new AbortController();
  stopped = [];
  wait = open();
});
afterEach(() => {
  wait.close();
  vi.useRealTimers();
});
const open = () =>
  new ReplyWait({
    timeoutMs: 60_000,
    cancelled: cancellation.signal,
    stop: async (id) => {
      stopped.push(id);
      throw new Error('the provider does not answer');
    },
  });

describe('a reply', () => {
  test('is waited for until the deadline', () => {
    vi.advanceTimersByTime(59_999);
    expect(wait.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect([wait.signal.aborted, wait.isPastDeadline]).toEqual([true, true]);
  });

  test('of a cancelled run is waited for a while, because it is paid for', () => {
    cancellation.abort();
    vi.advanceTimersByTime(9_999);
    expect(wait.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect([wait.signal.aborted, wait.isPastDeadline]).toEqual([true, false]);
  });

  test('that has come leaves no timer and no listener behind', () => {
    wait.close();
    cancellation.abort();
    vi.advanceTimersByTime(100_000);
    expect([wait.signal.aborted, vi.getTimerCount()]).toEqual([false, 0]);
  });
});

describe('a background response', () => {
  test('is stopped at its deadline, and its end waited for a while', () => {
    wait.isInBackground('resp_1');
    vi.advanceTimersByTime(60_000);
    expect([stopped, wait.signal.aborted, wait.isPastDeadline]).toEqual([['resp_1'], false, true]);
    vi.advanceTimersByTime(10_000);
    expect(wait.signal.aborted).toBe(true);
  });

  test('of a cancelled run is stopped once', () => {
    wait.isInBackground('resp_1');
    cancellation.abort();
    vi.advanceTimersByTime(70_000);
    expect([stopped, wait.signal.aborted]).toEqual([['resp_1'], true]);
  });

  test('whose id comes after the cancellation is stopped then', () => {
    cancellation.abort();
    expect(stopped).toEqual([]);
    wait.isInBackground('resp_1');
    expect(stopped).toEqual(['resp_1']);
  });

  test('of a run that was cancelled before is stopped as soon as it is found again', () => {
    cancellation.abort();
    const recovery = open();
    recovery.isInBackground('resp_2');
    expect(stopped).toEqual(['resp_2']);
    recovery.close();
  });
});
