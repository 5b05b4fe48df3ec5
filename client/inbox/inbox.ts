import type { VNode } from 'preact';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { Countdown, Key, Trouble } from './pieces.ts';
import { gatePath } from './place.ts';
import type { InboxReport, Problem, WaitingGate } from './types.ts';
import { gateLine, staleText, wordingOf } from './wording.ts';

/** Gates that ask for the same kind of thing: one answer may fit all of them. */
export function likeKey({ gate, task }: WaitingGate): string {
  return JSON.stringify([gate.kind, gate.tool, gate.toolVersion, gate.destination, gate.role, task]);
}

export function isMine({ standing }: WaitingGate): boolean {
  return standing === 'waitsForYou' || standing === 'overLimit';
}

/** Whether this person may decide so, as far as the page knows. */
export function mayAnswer({ standing }: WaitingGate, verdict: 'approve' | 'deny'): boolean {
  return standing === 'waitsForYou' || (standing === 'overLimit' && verdict === 'deny');
}

/** In the order of the list: what waits for this person, then what waits for others. */
export function inOrder(inbox: InboxReport): readonly WaitingGate[] {
  return [...inbox.gates.filter(isMine), ...inbox.gates.filter((entry) => !isMine(entry))];
}

interface InboxListProps {
  readonly inbox: InboxReport | null;
  readonly problem: Problem | null;
  readonly selectedId: string | null;
  readonly picked: ReadonlySet<string>;
  readonly onPick: (approvalIds: readonly string[], isPicked: boolean) => void;
  readonly onBulk: (verdict: 'approve' | 'deny') => void;
  readonly onRetry: () => void;
  readonly mayDecide: boolean;
}

export function InboxList(props: InboxListProps): VNode {
  const { inbox, problem, picked, onRetry } = props;
  if (!inbox) return problem ? html`<${Trouble} problem=${problem} onRetry=${onRetry} />` : html`<p class="empty muted" aria-busy="true">Loading…</p>`;
  // The gate beside it has the first heading of the page.
  const Title = props.selectedId === null ? 'h1' : 'h2';
  const mine = inbox.gates.filter(isMine);
  const others = inbox.gates.filter((entry) => !isMine(entry));
  return html`<div class="inbox-inner">
    ${problem && html`<p class="notice" role="status">${staleText(problem)} The page keeps asking.</p>`}
    <${Title} class="list-title">Waits for you <span class="count">${mine.length}</span><//>
    ${mine.length === 0 ? html`<${Nothing} hasOthers=${others.length > 0} />` : html`<${Rows} ...${props} entries=${mine} label="Waits for you" />`}
    ${others.length > 0 && html`<h2 class="list-title">Waits for others <span class="count">${others.length}</span></h2><${Rows} ...${props} entries=${others} label="Waits for others" />`}
    ${inbox.total > inbox.gates.length && html`<p class="muted small">${inbox.total} wait in all; these are the most urgent ${inbox.gates.length}.</p>`}
    ${picked.size > 0 && html`<${BulkBar} ...${props} />`}
  </div>`;
}

function Nothing({ hasOthers }: { readonly hasOthers: boolean }): VNode {
  return html`<div class="empty">
    <svg class="gate-picture" viewBox="0 0 64 40" aria-hidden="true"><path d="M8 38V14M56 38V14M8 18L54 6" /></svg>
    <p><strong>Nothing waits for you.</strong></p>
    <p class="muted">${hasOthers ? 'What is below waits for people of other roles.' : 'As soon as a run wants to do something that needs you, it appears here by itself.'}</p>
  </div>`;
}

function Rows({ entries, label, ...props }: InboxListProps & { readonly entries: readonly WaitingGate[]; readonly label: string }): VNode {
  return html`<ul class="rows" aria-label=${label}>${entries.map((entry) => html`<${Row} key=${entry.gate.approvalId} entry=${entry} ...${props} />`)}</ul>`;
}

function Row({ entry, selectedId, picked, onPick, mayDecide }: InboxListProps & { readonly entry: WaitingGate }): VNode {
  const { gate, task, tenant } = entry;
  const isSelected = gate.approvalId === selectedId;
  const isPicked = picked.has(gate.approvalId);
  const tool = wordingOf(gate).title ?? plainText(gate.tool);
  return html`<li class=${`row ${isSelected ? 'selected' : ''} ${isPicked ? 'picked' : ''}`} id=${`row-${gate.approvalId}`}>
    ${
      isMine(entry) &&
      mayDecide &&
      html`<label class="pick"><span class="sr">Choose ${tool}, ${gateLine(gate)}</span>
        <input type="checkbox" checked=${isPicked} onChange=${(event: Event) => onPick([gate.approvalId], (event.target as HTMLInputElement).checked)} /></label>`
    }
    <a href=${gatePath(gate.approvalId)} aria-current=${isSelected ? 'true' : undefined}>
      <span class="row-head"><strong><bdi>${tool}</bdi></strong><${Countdown} at=${gate.expiresAt} /></span>
      <span class="row-what"><bdi>${gateLine(gate)}</bdi></span>
      <span class="row-foot"><bdi>${plainText(tenant)}</bdi> · <bdi>${plainText(task)}</bdi>
        ${gate.kind !== 'action' && html` <span class="badge">${wordingOf(gate).kind}</span>`}
        ${gate.approvers > 1 && html` <span class="badge">${gate.approvals} of ${gate.approvers}</span>`}
        ${gate.stopped && html` <span class="badge care">stopped</span>`}
        ${entry.onBehalfOf && html` <span class="badge">for <bdi>${plainText(entry.onBehalfOf)}</bdi></span>`}
        ${gate.claim && html` <span class="badge"><bdi>${plainText(gate.claim.displayName ?? gate.claim.by)}</bdi> looks at it</span>`}
        ${entry.standing === 'youHaveDecided' && html` <span class="badge">you decided</span>`}
      </span>
    </a>
  </li>`;
}

function BulkBar({ inbox, picked, onPick, onBulk }: InboxListProps): VNode {
  const chosen = inbox?.gates.filter(({ gate }) => picked.has(gate.approvalId)) ?? [];
  const kinds = new Set(chosen.map(likeKey));
  const [first] = chosen;
  const more = first ? (inbox?.gates.filter((entry) => isMine(entry) && likeKey(entry) === likeKey(first) && !picked.has(entry.gate.approvalId)) ?? []) : [];
  const ids = (entries: readonly WaitingGate[]) => entries.map(({ gate }) => gate.approvalId);
  return html`<div class="bar bulk" role="group" aria-label="The chosen ones">
    <p><strong>${chosen.length} chosen</strong>${
      more.length > 0 &&
      kinds.size === 1 &&
      html` <button type="button" class="link" onClick=${() => onPick(ids(more), true)}>and ${more.length} more like ${chosen.length === 1 ? 'it' : 'them'} <${Key} name="X" /></button>`
    }</p>
    ${
      kinds.size > 1
        ? html`<p class="muted small">They ask for different things. Only like ones are decided together.</p>`
        : html`<button type="button" class="button primary" onClick=${() => onBulk('approve')}>${first ? wordingOf(first.gate).yes : 'Approve'} ${chosen.length}</button>
            <button type="button" class="button danger" onClick=${() => onBulk('deny')}>${first ? wordingOf(first.gate).no : 'Deny'} ${chosen.length}</button>`
    }
    <button type="button" class="link" onClick=${() => onPick(ids(chosen), false)}>Clear <${Key} name="Esc" /></button>
  </div>`;
}
