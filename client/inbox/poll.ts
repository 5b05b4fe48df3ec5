import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, getText } from './api.ts';
import type { Problem } from './types.ts';

const MAX_WAIT_MS = 30_000;
/** How often a page that nobody looks at asks. */
const HIDDEN_MS = 20_000;

export interface Polled<T> {
  /** The last answer, also while there is trouble since. */
  readonly data: T | null;
  readonly problem: Problem | null;
  /** Asks again at once. */
  readonly refresh: () => void;
}

/**
 * Asks for `path` again and again, one request at a time: every `everyMs` while the page is looked at, rarely while it is
 * not, and ever more rarely while nothing answers. Renders only where the answer changed.
 */
export function usePoll<T>(path: string | null, everyMs: number): Polled<T> {
  const [state, setState] = useState<{ path: string | null; text: string; data: T | null; problem: Problem | null }>({
    path,
    text: '',
    data: null,
    problem: null,
  });
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    let timer = 0;
    let failures = 0;
    let isAsking = false;
    const ask = async () => {
      if (isAsking || stop.signal.aborted) return;
      isAsking = true;
      window.clearTimeout(timer);
      try {
        const text = await getText(path, stop.signal);
        failures = 0;
        const data = JSON.parse(text) as T;
        setClock(data);
        setState((before) => (before.path === path && before.text === text && !before.problem ? before : { path, text, data, problem: null }));
      } catch (error) {
        if (stop.signal.aborted) return;
        failures += 1;
        const problem = error instanceof ApiError ? error.problem : { status: 0, title: 'Unreadable', detail: 'The answer of the API could not be read.' };
        setState((before) => ({ path, text: '', data: before.path === path ? before.data : null, problem }));
      } finally {
        isAsking = false;
      }
      if (stop.signal.aborted) return;
      timer = window.setTimeout(ask, Math.min(MAX_WAIT_MS, Math.max(document.hidden ? HIDDEN_MS : everyMs, failures * everyMs)));
    };
    again.current = () => void ask();
    const onVisible = () => {
      if (!document.hidden) void ask();
    };
    document.addEventListener('visibilitychange', onVisible);
    void ask();
    return () => {
      stop.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [path, everyMs]);
  const refresh = useCallback(() => again.current(), []);
  const isCurrent = state.path === path;
  return { data: isCurrent ? state.data : null, problem: isCurrent ? state.problem : null, refresh };
}

let clockOffsetMs = 0;

/** Takes the store's clock from an answer: by that one, and not by this machine's, gates expire. */
function setClock(answer: unknown): void {
  const now = (answer as { readonly now?: unknown } | null)?.now;
  const atMs = typeof now === 'string' ? Date.parse(now) : Number.NaN;
  if (!Number.isNaN(atMs)) clockOffsetMs = atMs - Date.now();
}

/** The time by the store's clock, moving on each second, unless nothing moves. */
export function useNow(isMoving = true): number {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!isMoving) return;
    const timer = window.setInterval(() => tick((count) => count + 1), 1_000);
    return () => window.clearInterval(timer);
  }, [isMoving]);
  return Date.now() + clockOffsetMs;
}
