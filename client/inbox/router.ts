import { useEffect, useState } from 'preact/hooks';
import { type Place, placeOf } from './place.ts';

const MOVED = 'tollgate-moved';

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
