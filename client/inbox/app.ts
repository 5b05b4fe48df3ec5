import { Fragment, type VNode } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, loadMe, whenUnknown } from './api.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { isMine } from './inbox.ts';
import { InboxPage } from './inbox-page.ts';
import { KeyHelp, useKeys } from './keys.ts';
import { OverviewPage } from './overview.ts';
import { Trouble } from './pieces.ts';
import { usePoll } from './poll.ts';
import type { Place } from './place.ts';
import { usePlace } from './router.ts';
import { RunPage } from './run.ts';
import { RunsPage } from './runs.ts';
import type { InboxReport, Me, Problem } from './types.ts';
import { goToLogin, SessionOverDialog, SignedOut, WhoDialog } from './who.ts';

const EVERY_MS = 1_500;
const ME_EVERY_MS = 60_000;
const SAID_FOR_MS = 12_000;

type State =
  | { readonly type: 'loading' }
  | { readonly type: 'known'; readonly me: Me; readonly over: Problem | null }
  | { readonly type: 'unknown'; readonly problem: Problem }
  | { readonly type: 'signedOut' };

export function App(): VNode {
  const [state, setState] = useState<State>({ type: 'loading' });
  const load = useCallback(async () => {
    try {
      const me = await loadMe();
      setState({ type: 'known', me, over: null });
    } catch (error) {
      const problem = error instanceof ApiError ? error.problem : { status: 0, title: 'Trouble', detail: String(error) };
      // Whoever is looking at the page keeps it.
      setState((before) => (before.type === 'known' || goToLogin(problem) ? before : { type: 'unknown', problem }));
    }
  }, []);
  useEffect(() => {
    whenUnknown((problem) => setState((before) => (before.type === 'known' ? { ...before, over: before.over ?? problem } : before)));
    void load();
    const timer = window.setInterval(() => void load(), ME_EVERY_MS);
    return () => window.clearInterval(timer);
  }, []);
  switch (state.type) {
    case 'known':
      return html`<${Fragment}>
        <${Shell} key=${state.me.name} me=${state.me} onSignedOut=${() => setState({ type: 'signedOut' })} />
        ${state.over && html`<${SessionOverDialog} problem=${state.over} />`}
      <//>`;
    case 'signedOut':
      return html`<${Header} place=${{ type: 'unknown' }} /><${SignedOut} />`;
    default:
      return html`<${Header} place=${{ type: 'unknown' }} />
        <main id="main">${state.type === 'unknown' ? html`<${Trouble} problem=${state.problem} onRetry=${() => void load()} />` : html`<p class="empty muted" aria-busy="true">Loading…</p>`}</main>`;
  }
}

function Shell({ me, onSignedOut }: { readonly me: Me; readonly onSignedOut: () => void }): VNode {
  const place = usePlace();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isWhoOpen, setWhoOpen] = useState(false);
  const [said, setSaid] = useState('');
  const inbox = usePoll<InboxReport>('/v1/inbox', EVERY_MS);
  const waiting = inbox.data?.gates.filter(isMine).length ?? null;
  useEffect(() => {
    document.title = `${waiting ? `(${waiting}) ` : ''}${TITLES[place.type]} · Tollgate`;
  }, [waiting, place.type]);
  useEffect(() => {
    if (!said) return;
    const timer = window.setTimeout(() => setSaid(''), SAID_FOR_MS);
    return () => window.clearTimeout(timer);
  }, [said]);
  const openHelp = useCallback(() => setHelpOpen(true), []);
  return html`<a class="skip" href="#main">Skip to the content</a>
    <${Header} place=${place} me=${me} waiting=${waiting} onHelp=${openHelp} onWho=${() => setWhoOpen(true)} />
    <main id="main" tabindex="-1">
      ${place.type === 'inbox' ? html`<${InboxPage} me=${me} inbox=${inbox} approvalId=${place.approvalId} say=${setSaid} onHelp=${openHelp} />` : html`<${OtherPage} place=${place} me=${me} say=${setSaid} onHelp=${openHelp} />`}
    </main>
    <div class=${said ? 'toast shown' : 'toast'} role="status" aria-live="polite">${said}</div>
    ${isHelpOpen && html`<${KeyHelp} onClose=${() => setHelpOpen(false)} />`}
    ${isWhoOpen && html`<${WhoDialog} me=${me} onClose=${() => setWhoOpen(false)} onSignedOut=${onSignedOut} />`}`;
}

const TITLES: Readonly<Record<Place['type'], string>> = { inbox: 'Inbox', runs: 'Runs', run: 'Run', overview: 'Overview', unknown: 'Not here' };

function OtherPage({ place, me, say, onHelp }: { place: Exclude<Place, { type: 'inbox' }>; me: Me; say: (text: string) => void; onHelp: () => void }): VNode {
  useKeys({ '?': onHelp });
  switch (place.type) {
    case 'runs':
      return html`<${RunsPage} />`;
    case 'run':
      return html`<${RunPage} key=${place.agentRunId} agentRunId=${place.agentRunId} me=${me} say=${say} />`;
    case 'overview':
      return html`<${OverviewPage} />`;
    case 'unknown':
      return html`<div class="empty"><h1>Not here</h1><p>There is no such page. <a href="/inbox/">To the inbox</a></p></div>`;
  }
}

interface HeaderProps {
  readonly place: Place;
  readonly me?: Me;
  readonly waiting?: number | null;
  readonly onHelp?: () => void;
  readonly onWho?: () => void;
}

function Header({ place, me, waiting, onHelp, onWho }: HeaderProps): VNode {
  const link = (path: string, types: readonly Place['type'][], text: unknown) =>
    html`<a href=${path} aria-current=${types.includes(place.type) ? 'page' : undefined}>${text}</a>`;
  return html`<header class="top">
    <a class="brand" href="/inbox/" aria-label="Tollgate, inbox"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 21V8M20 21V8M4 10l16-5" /></svg><span>Tollgate</span></a>
    ${
      me &&
      html`<nav aria-label="Pages">
        ${link('/inbox/', ['inbox'], html`Inbox${waiting ? html` <span class="count">${waiting}</span>` : ''}`)} ${link('/inbox/runs', ['runs', 'run'], 'Runs')} ${link('/inbox/overview', ['overview'], 'Overview')}
      </nav>
      <button type="button" class="button quiet me" aria-haspopup="dialog" onClick=${onWho}><svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="8" r="4" /><path d="M4 21c0-5 4-7 8-7s8 2 8 7" /></svg><span class="me-name"><span class="sr">You: </span><bdi>${plainText(me.displayName)}</bdi></span></button>
      <button type="button" class="button quiet help" aria-label="Keys" aria-keyshortcuts="?" onClick=${onHelp}><kbd aria-hidden="true">?</kbd></button>`
    }
  </header>`;
}
