import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { getText } from './api.ts';
import { Attention } from './attention.ts';
import { ArgumentsTable, RawJson } from './arguments.ts';
import { changedPaths, type Json, statusText, usdText } from './format.ts';
import { html } from './html.ts';
import { isMine } from './inbox.ts';
import { Grant, Stopped, Tried, Voter } from './notes.ts';
import { Ago, Countdown, Key, Meter, Text, Trouble } from './pieces.ts';
import { usePoll } from './poll.ts';
import { gatePath, runPath } from './place.ts';
import type { GateContext, GateReport } from './types.ts';
import { shownArguments, staleText, standingText, wordingOf } from './wording.ts';

const EVERY_MS = 1_500;
/** A gate that nothing happens at any more. */
const OVER_EVERY_MS = 20_000;

export interface GateActions {
  readonly approve: () => void;
  readonly deny: () => void;
  /** Absent where the API takes no edits. */
  readonly edit?: () => void;
  readonly withdraw: () => void;
}

interface GateViewProps {
  readonly approvalId: string;
  /** Told at each answer, so that keys decide about what is on the screen. */
  readonly onShown: (context: GateContext | null) => void;
  readonly actions: GateActions;
  readonly isRaw: boolean;
  readonly onRaw: () => void;
  readonly mayDecide: boolean;
  /** Grows whenever something was decided here, so that the answer is seen at once. */
  readonly version: number;
}

/** One gate: all that is needed to answer it, on one screen. */
export function GateView({ approvalId, onShown, actions, isRaw, onRaw, mayDecide, version }: GateViewProps): VNode {
  const [everyMs, setEveryMs] = useState(EVERY_MS);
  const { data, problem, refresh } = usePoll<GateContext>(`/v1/approvals/${encodeURIComponent(approvalId)}/context`, everyMs);
  const [looked, setLooked] = useState<GateReport | null>(null);
  const values = useRevealed(data?.gate ?? null);
  const isOver = data !== null && isSettled(data);
  useEffect(() => setEveryMs(isOver ? OVER_EVERY_MS : EVERY_MS), [isOver]);
  useLayoutEffect(() => onShown(data), [data]);
  useEffect(() => refresh(), [version]);
  useEffect(() => {
    if (!data || looked?.approvalId === approvalId) return;
    setLooked(data.gate);
    // On a phone the list is gone now: whoever listens is told where they are.
    if (window.matchMedia('(max-width: 899px)').matches) document.getElementById('gate-title')?.focus();
  }, [data, approvalId]);
  if (!data) return problem ? html`<${Trouble} problem=${problem} onRetry=${refresh} />` : html`<p class="empty muted" aria-busy="true">Loading…</p>`;
  const { gate } = data;
  const hasChanged = looked?.approvalId === gate.approvalId && looked.actionDigest !== gate.actionDigest;
  const changed = hasChanged ? changedPaths(looked.arguments as Json, gate.arguments as Json) : [];
  return html`<article class="gate" aria-labelledby="gate-title">
    ${problem && html`<p class="notice" role="status">${staleText(problem)} What you see may be old.</p>`}
    <${GateHead} data=${data} />
    ${
      hasChanged &&
      html`<div class="notice warn" role="alert">
        <strong>The action has changed since you opened it.</strong> What changed is marked below. <button type="button" class="link" onClick=${() => setLooked(gate)}>I have seen it</button>
      </div>`
    }
    <${Stopped} gate=${gate} />
    <${Happening} gate=${gate} values=${values} changed=${changed} isRaw=${isRaw} onRaw=${onRaw} />
    <${Why} data=${data} values=${values} />
    <div class="columns"><${RunSoFar} data=${data} /><${Policy} data=${data} /></div>
    <${Attention} key=${gate.approvalId} data=${data} mayDecide=${mayDecide} onChange=${refresh} />
    <${ActionBar} data=${data} actions=${actions} mayDecide=${mayDecide} />
  </article>`;
}

function isSettled({ gate: { status, kind }, action }: GateContext): boolean {
  if (status === 'consumed' && kind === 'action') return action !== null && action.endedAt !== null;
  return status !== 'open' && status !== 'approved';
}

/** Values behind tokens, asked for once for each action: every look at them is audited. */
function useRevealed(gate: GateReport | null): Readonly<Record<string, string>> {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const key = gate && `${gate.approvalId} ${gate.actionDigest}`;
  useEffect(() => {
    setValues({});
    if (!gate) return;
    const stop = new AbortController();
    getText(`/v1/approvals/${encodeURIComponent(gate.approvalId)}`, stop.signal)
      .then((text) => setValues((JSON.parse(text) as GateReport).values ?? {}))
      .catch(() => undefined);
    return () => stop.abort();
  }, [key]);
  return values;
}

function GateHead({ data: { gate } }: { readonly data: GateContext }): VNode {
  return html`<header class="gate-head">
    <a class="back" href="/inbox/">‹ Inbox</a>
    <p class="eyebrow">${wordingOf(gate).kind}</p>
    <h1 id="gate-title" tabindex="-1"><${Text} text=${wordingOf(gate).title ?? gate.tool} /></h1>
    ${!wordingOf(gate).title && html`<p class="where"><span aria-hidden="true">→ </span><span class="sr">at </span><${Text} text=${gate.destination} /></p>`}
    <p class="facts">
      <span class="status" data-status=${gate.status}>${statusText(gate.status)}</span>
      ${gate.status === 'open' && html`<span>expires in <${Countdown} at=${gate.expiresAt} /></span>`}
      <span class="muted">asked <${Ago} at=${gate.createdAt} /></span>
    </p>
  </header>`;
}

function Happening(props: {
  gate: GateReport;
  values: Readonly<Record<string, string>>;
  changed: readonly string[];
  isRaw: boolean;
  onRaw: () => void;
}): VNode {
  const { gate, values, isRaw, onRaw } = props;
  const { edits = [] } = gate;
  const [first] = edits;
  const isWaiting = gate.status === 'open' || gate.status === 'approved';
  const changed = [...props.changed, ...(first ? changedPaths(first.fromArguments as Json, gate.arguments as Json) : [])];
  return html`<section class="card" aria-labelledby="happens">
    <div class="card-head">
      <h2 id="happens">${isWaiting ? wordingOf(gate).about : 'What it asked for'}</h2>
      <button type="button" class="link" aria-pressed=${isRaw} onClick=${onRaw}>Raw JSON <${Key} name="r" /></button>
    </div>
    ${isWaiting && html`<p class="muted">${wordingOf(gate).happens}</p>`}
    ${
      gate.occurrence > 0 &&
      html`<p class="notice warn"><strong>A repetition.</strong> This run has done exactly this ${gate.occurrence} ${gate.occurrence === 1 ? 'time' : 'times'} already.</p>`
    }
    ${edits.map(
      ({ editor, at, comment, fromArguments }) =>
        html`<p key=${at} class="notice warn"><strong><${Text} text=${editor} /></strong> changed ${changedPaths(fromArguments as Json, gate.arguments as Json).join(', ') || 'nothing that is left'}, <${Ago} at=${at} />.${comment && html` <${Text} text=${comment} />`}</p>`,
    )}
    ${isRaw ? html`<${RawJson} value=${gate.arguments} />` : html`<${ArgumentsTable} value=${shownArguments(gate)} values=${values} changed=${changed} />`}
    <p class="fine">version <bdi>${gate.toolVersion}</bdi> · digest <code title=${gate.actionDigest}>${gate.actionDigest.slice(0, 12)}…</code>${isWaiting && ': your answer counts for exactly this action.'}</p>
  </section>`;
}

function Why({ data, values }: { readonly data: GateContext; readonly values: Readonly<Record<string, string>> }): VNode {
  const { gate, said, asked, step } = data;
  return html`<section class="card" aria-labelledby="why">
    <h2 id="why">Why</h2>
    ${(gate.kind !== 'action' || gate.occurrence > 0 || said === null) && gate.reason !== said && html`<p class="reason"><${Text} text=${gate.reason} values=${values} /></p>`}
    ${said !== null && html`<figure><figcaption>The agent${step === null ? '' : `, at step ${step}`}</figcaption><blockquote><${Text} text=${said} values=${values} /></blockquote></figure>`}
    ${asked !== null && html`<figure><figcaption>It was asked</figcaption><blockquote class="quiet"><${Text} text=${asked} values=${values} /></blockquote></figure>`}
  </section>`;
}

function RunSoFar({ data }: { readonly data: GateContext }): VNode {
  const { run, task, tenant, feature, done, calls, spentUsd, others } = data;
  return html`<section class="card" aria-labelledby="run-so-far">
    <h2 id="run-so-far">The run so far</h2>
    <p><a href=${runPath(run.agentRunId)}><${Text} text=${run.agentRunId} /></a></p>
    <p class="muted"><${Text} text=${task} /> · <${Text} text=${tenant} /> · <${Text} text=${feature} /> · asked for by <${Text} text=${run.requester} /></p>
    <${Meter} label="Spent" used=${Number(run.ledger.settledUsd)} held=${Number(run.ledger.heldUsd)} limit=${Number(run.ledger.limitUsd)}
      text=${`${usdText(spentUsd)} of ${usdText(run.ledger.limitUsd)} spent on ${calls} model ${calls === 1 ? 'call' : 'calls'}`} />
    ${
      done.length === 0
        ? html`<p class="muted">It has used no tool before.</p>`
        : html`<ol class="done">${done
            .slice(-8)
            .map(
              ({ step, tool, effect, status }, index) =>
                html`<li key=${index}><span class="muted">${step}</span> <${Text} text=${tool} /> <span class="muted">${effect ?? 'unknown'}</span> <span class="status" data-status=${status}>${statusText(status)}</span></li>`,
            )}</ol>`
    }
    ${others.length > 0 && html`<p>Also waiting in this run: ${others.map(({ approvalId, tool }, index) => html`${index > 0 ? ', ' : ''}<a key=${approvalId} href=${gatePath(approvalId)}><${Text} text=${tool} /></a>`)}</p>`}
  </section>`;
}

function Policy({ data: { gate, grant } }: { readonly data: GateContext }): VNode {
  const { approvers, approvals, role, votes, needs = [], limits = [], escalatesTo } = gate;
  return html`<section class="card" aria-labelledby="policy">
    <h2 id="policy">What policy asks</h2>
    <p><strong>${gate.standing ? approvers : `${approvals} of ${approvers}`}</strong> ${approvers === 1 ? 'approval' : 'approvals by different people'} with the role <strong><${Text} text=${role} /></strong>.</p>
    ${needs.map((need) => html`<p key=${need.role}>And <strong>${need.approvers}</strong> with the role <strong><${Text} text=${need.role} /></strong>.</p>`)}
    ${limits.map((limit, index) => html`<p key=${index} class="muted">The role <${Text} text=${limit.role} /> may decide only where <code><${Text} text=${JSON.stringify(limit.when)} /></code>.</p>`)}
    ${escalatesTo && html`<p class="muted">${escalatesTo.escalated ? 'The role ' : html`In <${Countdown} at=${escalatesTo.at} /> the role `}<strong><${Text} text=${escalatesTo.role} /></strong> may decide too.</p>`}
    <${Tried} gate=${gate} />
    <${Grant} grant=${grant} />
    ${votes.length === 0 && !gate.standing && html`<p class="muted">Nobody has decided yet.</p>`}
    <ul class="votes">${votes.map(
      (vote) => html`<li key=${vote.approver}>
        <span class="status" data-status=${vote.verdict === 'deny' ? 'denied' : 'approved'}>${vote.verdict === 'deny' ? 'denied' : 'approved'}</span>
        <span> by <${Voter} vote=${vote} />, <${Ago} at=${vote.at} /></span>
        ${vote.comment && html`<blockquote class="quiet"><${Text} text=${vote.comment} /></blockquote>`}
      </li>`,
    )}</ul>
  </section>`;
}

function ActionBar({ data, actions, mayDecide }: { readonly data: GateContext; readonly actions: GateActions; readonly mayDecide: boolean }): VNode {
  const { gate, standing, action } = data;
  const wording = wordingOf(gate);
  if (isMine(data) && mayDecide)
    return html`<div class="bar" role="group" aria-label="Your decision">
      ${standing === 'overLimit' && html`<p class="muted">${standingText(standing, gate)}</p>`}
      ${data.onBehalfOf && html`<p class="muted">You decide for <strong><${Text} text=${data.onBehalfOf} /></strong>, who has delegated it to you.</p>`}
      <button type="button" class="button primary" disabled=${standing === 'overLimit'} aria-keyshortcuts="a" onClick=${actions.approve}>${wording.yes} <${Key} name="a" /></button>
      <button type="button" class="button danger" aria-keyshortcuts="d" onClick=${actions.deny}>${wording.no} <${Key} name="d" /></button>
      ${gate.kind === 'action' && actions.edit && html`<button type="button" class="button" aria-keyshortcuts="e" onClick=${actions.edit}>Change <${Key} name="e" /></button>`}
    </div>`;
  const canWithdraw = standing === 'youHaveDecided' && (gate.status === 'open' || gate.status === 'approved') && mayDecide;
  return html`<div class="bar settled">
    <p role="status"><${Settled} data=${data} />${action && html` <span>The action: ${statusText(action.status)}.</span>`}</p>
    ${canWithdraw && html`<button type="button" class="button" aria-keyshortcuts="u" onClick=${actions.withdraw}>Take my decision back <${Key} name="u" /></button>`}
  </div>`;
}

function Settled({ data: { gate, standing } }: { readonly data: GateContext }): VNode {
  const by = gate.standing
    ? html` under a standing approval of <strong><${Text} text=${gate.standing.grantedBy.join(', ')} /></strong>`
    : gate.votes.length > 0
      ? html` by ${gate.votes.map((vote, index) => html`${index > 0 ? ', ' : ''}<${Voter} vote=${vote} />`)}`
      : '';
  const wording = wordingOf(gate);
  if (gate.kind !== 'action' && ['approved', 'consumed', 'denied'].includes(gate.status))
    return html`<span>${gate.status === 'denied' ? wording.noDone : wording.yesDone}${by}.</span>`;
  switch (gate.status) {
    case 'open':
      return standing === 'youHaveDecided'
        ? html`<span>You have decided. It waits for others.</span>`
        : html`<span>${standingText(standing, gate) ?? 'You may look, and not decide.'}</span>`;
    case 'approved':
      return html`<span>Approved${by}. ${gate.stopped ? 'It is stopped' : 'The action has not begun yet'}.</span>`;
    case 'consumed':
      return html`<span>Approved${by}, and carried on: nothing can be taken back here any more.</span>`;
    case 'denied':
      return html`<span>Denied${by}. It was not done, and the agent was told why.</span>`;
    case 'expired':
      return html`<span>Nobody answered in time${gate.kind === 'action' ? ', which denies it' : ''}.</span>`;
    case 'withdrawn':
      return html`<span>The run withdrew it: it ended, or went another way.</span>`;
    default:
      return html`<span>It was replaced by another gate, which asks anew.</span>`;
  }
}
