import { Fragment, type VNode } from 'preact';
import { useState } from 'preact/hooks';
import { dateText, piecesOf, usdText, untilText } from './format.ts';
import { html } from './html.ts';
import { useNow } from './poll.ts';
import type { Problem } from './types.ts';

const LONG = 600;

/** A text from anybody: alone in its reading direction, with marks for what would not be seen, long ones folded. */
export function Text({ text, values = {} }: { readonly text: string; readonly values?: Readonly<Record<string, string>> }): VNode {
  const [isOpen, setOpen] = useState(false);
  const isLong = text.length > LONG;
  const shown = isLong && !isOpen ? text.slice(0, LONG) : text;
  return html`<bdi class="text">${piecesOf(shown).map(({ text: piece, mark }, index) =>
    mark
      ? html`<span key=${index} class="mark" title="A character that is not seen">${mark}</span>`
      : html`<${Fragment} key=${index}>${withValues(piece, values)}<//>`,
  )}${isLong && !isOpen ? '…' : ''}</bdi>${
    isLong &&
    html`<button type="button" class="link" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      ${isOpen ? 'Show less' : `Show all ${text.length.toLocaleString('en')} characters`}
    </button>`
  }`;
}

/** Puts beside each token what it stands for, where this person may see it. */
function withValues(text: string, values: Readonly<Record<string, string>>): unknown {
  const token = Object.keys(values).find((candidate) => text.includes(candidate));
  if (!token) return text;
  const [before = '', ...after] = text.split(token);
  const value = piecesOf(values[token] ?? '').map(({ text: piece, mark }) => mark ?? piece);
  return html`<${Fragment}>${withValues(before, values)}<span class="revealed" title=${`Redacted as ${token}; only people of your role see it`}>${value.join('')}</span>${withValues(after.join(token), values)}<//>`;
}

/** How long until `at`, counting down by the store's clock. */
export function Countdown({ at, prefix = '' }: { readonly at: string; readonly prefix?: string }): VNode {
  const left = Date.parse(at) - useNow();
  const urgency = left <= 0 ? 'gone' : left < 600_000 ? 'soon' : 'calm';
  return html`<time class="countdown" data-urgency=${urgency} datetime=${at} title=${dateText(Date.parse(at))}>${left <= 0 ? 'expired' : `${prefix}${untilText(left)}`}</time>`;
}

/** How long ago something was. */
export function Ago({ at }: { readonly at: string }): VNode {
  const passed = useNow() - Date.parse(at);
  return html`<time datetime=${at} title=${dateText(Date.parse(at))}>${passed < 5_000 ? 'just now' : `${untilText(passed)} ago`}</time>`;
}

/** A share of a limit as a bar, with both amounts in words. */
export function Meter({ label, used, limit, held = 0, text }: { label: string; used: number; limit: number; held?: number; text?: string }): VNode {
  const share = (amount: number) => (limit > 0 ? Math.min(100, (amount / limit) * 100) : 0);
  const words = text ?? `${usdText(used)} of ${usdText(limit)}${held > 0 ? `, ${usdText(held)} held` : ''}`;
  return html`<div class="meter">
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${words}`}>
      <rect class="track" width="100" height="4" rx="1" />
      <rect class="held" width=${share(used + held)} height="4" rx="1" />
      <rect class="used" width=${share(used)} height="4" rx="1" />
    </svg>
    <span class="meter-words">${words}</span>
  </div>`;
}

export function Key({ name }: { readonly name: string }): VNode {
  return html`<kbd aria-hidden="true">${name}</kbd>`;
}

/** What went wrong, and what to do about it. */
export function Trouble({ problem, onRetry }: { readonly problem: Problem; readonly onRetry?: () => void }): VNode {
  const { title, advice } = adviceFor(problem);
  return html`<div class="empty" role="alert">
    <h1>${title}</h1>
    <p><${Text} text=${problem.detail} /></p>
    ${advice && html`<p class="muted">${advice}</p>`}
    <p>
      ${problem.login && html`<a class="button primary" href=${`${problem.login}?returnTo=${encodeURIComponent(location.pathname)}`} target="_self">Sign in</a>`}
      ${onRetry && html` <button type="button" class="button" onClick=${onRetry}>Try again</button>`}
    </p>
  </div>`;
}

function adviceFor({ status, login }: Problem): { readonly title: string; readonly advice?: string } {
  if (status === 0) return { title: 'No answer', advice: 'The page keeps asking, and goes on by itself when there is one.' };
  if (status === 401) return { title: 'Who are you?', ...(login ? { advice: 'After signing in you come back to this very place.' } : {}) };
  if (status === 403) return { title: 'Not for you', advice: 'Whoever looks after your roles can change that.' };
  if (status === 404) return { title: 'Not here', advice: 'It may belong to another tenant, or its link is cut short.' };
  if (status === 429) return { title: 'A little slower', advice: 'Too many questions at once. The page goes on by itself.' };
  return { title: 'That did not work' };
}
