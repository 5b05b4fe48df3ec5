import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, signOut } from './api.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { Countdown, Text } from './pieces.ts';
import type { Me, Problem } from './types.ts';

const SENT_AT = 'tollgate-sent-to-login';
/** Who comes back from a login sooner than this, and is not known still, is not sent there again by itself. */
const NOT_AGAIN_MS = 60_000;

/** The login, and after it the very place where the page is now. */
export function loginPath({ login }: Problem): string | null {
  return login ? `${login}?returnTo=${encodeURIComponent(location.pathname)}` : null;
}

/** Sends a browser that nobody is known in to the login, where there is one. False where the person has to say so. */
export function goToLogin(problem: Problem): boolean {
  const path = problem.status === 401 ? loginPath(problem) : null;
  if (path === null || Date.now() - Number(sessionStorage.getItem(SENT_AT) ?? 0) < NOT_AGAIN_MS) return false;
  sessionStorage.setItem(SENT_AT, String(Date.now()));
  location.replace(path);
  return true;
}

interface WhoProps {
  readonly me: Me;
  readonly onClose: () => void;
  /** Told once the session is ended. */
  readonly onSignedOut: () => void;
}

/** Who looks at the page, as what, and the way out. */
export function WhoDialog({ me, onClose, onSignedOut }: WhoProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [mistake, setMistake] = useState<string | null>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const leave = async () => {
    try {
      await signOut();
      onSignedOut();
    } catch (error) {
      setMistake(error instanceof ApiError ? plainText(error.problem.detail) : 'It did not work.');
    }
  };
  const { displayName, name, roles, tenant, scopes, signedIn, sessionEndsAt } = me;
  const may = [
    ['read', 'look'],
    ['decide', 'decide'],
    ['start', 'start and cancel runs'],
  ].flatMap(([scope = '', what]) => (scopes.includes(scope) ? [what] : []));
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="who-title" onClose=${onClose}>
    <h2 id="who-title"><${Text} text=${displayName} /></h2>
    <dl class="ledger">
      ${name !== displayName && html`<div><dt>Decides as</dt><dd><${Text} text=${name} /></dd></div>`}
      <div><dt>Roles</dt><dd>${roles.includes('*') ? 'every role' : roles.length === 0 ? 'none: whoever looks after your roles can change that' : html`<${Text} text=${roles.join(', ')} />`}</dd></div>
      <div><dt>Tenant</dt><dd>${tenant === null ? 'every tenant' : html`<${Text} text=${tenant} />`}</dd></div>
      <div><dt>May</dt><dd>${may.join(', ') || 'nothing here'}</dd></div>
      ${sessionEndsAt && html`<div><dt>Signed in</dt><dd>for <${Countdown} at=${sessionEndsAt} /> more</dd></div>`}
      ${!signedIn && html`<div><dt>Known by</dt><dd>being at this machine, without sign-in</dd></div>`}
    </dl>
    ${mistake !== null && html`<p class="error" role="alert">You are still signed in. ${mistake}</p>`}
    <div class="buttons">
      <button type="button" class="button" onClick=${() => dialog.current?.close()}>Close</button>
      ${sessionEndsAt && html`<button type="button" class="button danger" onClick=${() => void leave()}>Sign out</button>`}
    </div>
  </dialog>`;
}

/** Over everything else: what is on the screen stays there, and nothing of it can be answered any more. */
export function SessionOverDialog({ problem }: { readonly problem: Problem }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const path = loginPath(problem);
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="over-title">
    <h2 id="over-title">Your session is over</h2>
    <p>${path === null ? html`<${Text} text=${problem.detail} />` : 'After signing in you come back to this very place. What you were writing here is not kept.'}</p>
    <div class="buttons">
      <button type="button" class="button" onClick=${() => dialog.current?.close()}>Look at the page</button>
      ${path !== null && html`<a class="button primary" href=${path} target="_self">Sign in</a>`}
    </div>
  </dialog>`;
}

/** After signing out. */
export function SignedOut(): VNode {
  return html`<main id="main"><div class="empty" role="status">
    <h1>You are signed out</h1>
    <p class="muted">Here, that is: whoever keeps your accounts may know this browser still, and let you in again without asking.</p>
    <p><a class="button primary" href="/login?returnTo=%2Finbox%2F" target="_self">Sign in</a></p>
  </div></main>`;
}
