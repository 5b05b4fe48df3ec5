import { useEffect, useState } from 'preact/hooks';

export type Place =
  | { readonly type: 'inbox'; readonly approvalId: string | null }
  | { readonly type: 'runs' }
  | { readonly type: 'run'; readonly agentRunId: string }
  | { readonly type: 'overview' }
  | { readonly type: 'unknown' };

const MOVED = 'tollgate-moved';

export function placeOf(path: string): Place {
  const [, , kind = '', id = '', ...rest] = path.split('/');
  if (rest.some(Boolean)) return { type: 'unknown' };
  if (kind === '') return { type: 'inbox', approvalId: null };
  if (kind === 'gates' && id) return { type: 'inbox', approvalId: decoded(id) };
  if (kind === 'runs') return id ? { type: 'run', agentRunId: decoded(id) } : { type: 'runs' };
  if (kind === 'overview' && !id) return { type: 'overview' };
  return { type: 'unknown' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const gatePath = (approvalId: string) => `/inbox/gates/${encodeURIComponent(approvalId)}`;
export const runPath = (agentRunId: string) => `/inbox/runs/${encodeURIComponent(agentRunId)}`;

/** Goes to a place of the page without loading it anew. */
export function go(path: string, { replace = false } = {}): void {
  if (path === location.pathname) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  window.dispatchEvent(new Event(MOVED));
}

/** Where the page is; links within it are followed without loading it anew. */
export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.pathname));
  useEffect(() => {
    const moved = () => setPlace(placeOf(location.pathname));
    const follow = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      if (link.target || link.origin !== location.origin || !link.pathname.startsWith('/inbox/')) return;
      event.preventDefault();
      go(link.pathname);
    };
    window.addEventListener('popstate', moved);
    window.addEventListener(MOVED, moved);
    document.addEventListener('click', follow);
    return () => {
      window.removeEventListener('popstate', moved);
      window.removeEventListener(MOVED, moved);
      document.removeEventListener('click', follow);
    };
  }, []);
  return place;
}
