import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, cancelRun } from './api.ts';
import { FeedbackCard } from './feedback.ts';
import { plainText, statusText, usdText } from './format.ts';
import { html } from './html.ts';
import { Ago, Meter, Text, Trouble } from './pieces.ts';
import { usePoll } from './poll.ts';
import { gatePath, runPath } from './place.ts';
import { Timeline } from './timeline.ts';
import type { Me, RunReport, TimelineReport } from './types.ts';

const EVERY_MS = 2_000;
const ENDED_EVERY_MS = 30_000;

type Shown = TimelineReport & { readonly temporalUrl: string | null; readonly traceUrl: string | null };

/** A run: what it came to, what it cost, what it waits for, and when each thing happened. */
export function RunPage({ agentRunId, me, say }: { readonly agentRunId: string; readonly me: Me; readonly say: (text: string) => void }): VNode {
  const path = `/v1/runs/${encodeURIComponent(agentRunId)}`;
  const [everyMs, setEveryMs] = useState(EVERY_MS);
  const run = usePoll<RunReport>(path, everyMs);
  const timeline = usePoll<Shown>(`${path}/timeline`, everyMs);
  const [isCancelling, setCancelling] = useState(false);
  const hasEnded = run.data !== null && run.data.endedAt !== null;
  // What has ended changes no more, but for late settlements and what people think of it.
  useEffect(() => setEveryMs(hasEnded ? ENDED_EVERY_MS : EVERY_MS), [hasEnded]);
  if (!run.data)
    return run.problem ? html`<${Trouble} problem=${run.problem} onRetry=${run.refresh} />` : html`<p class="empty muted" aria-busy="true">Loading…</p>`;
  const { data } = run;
  const waiting = data.gates.filter(({ status }) => status === 'open');
  return html`<article class="page" aria-labelledby="run-title">
    <header class="page-head">
      <div>
        <p class="eyebrow"><a href="/inbox/runs">Runs</a></p>
        <h1 id="run-title"><${Text} text=${data.agentRunId} /></h1>
        <p class="facts"><span class="status" data-status=${data.status}>${statusText(data.status)}</span> <span class="muted"><bdi>${plainText(data.task)}</bdi> · <bdi>${plainText(data.tenant)}</bdi> · <bdi>${plainText(data.feature)}</bdi> · asked for by <bdi>${plainText(data.requester)}</bdi> · <${Ago} at=${data.startedAt} /></span>${data.simulated && html` <span class="badge">simulated models</span>`}</p>
      </div>
      <div class="buttons">
        ${timeline.data?.temporalUrl && html`<a class="button" href=${timeline.data.temporalUrl} target="_blank" rel="noopener noreferrer">Temporal UI ↗</a>`}
        ${timeline.data?.traceUrl && html`<a class="button" href=${timeline.data.traceUrl} target="_blank" rel="noopener noreferrer">Trace ↗</a>`}
        ${data.endedAt === null && me.scopes.includes('start') && html`<button type="button" class="button danger" onClick=${() => setCancelling(true)}>Cancel the run…</button>`}
      </div>
    </header>
    ${(data.stopped ?? []).map(({ stopId, by, reason, at }) => html`<p key=${stopId} class="notice warn"><strong>Stopped.</strong> Its model calls wait: <strong><${Text} text=${by} /></strong> stopped them <${Ago} at=${at} />: <${Text} text=${reason} /></p>`)}
    ${waiting.map((gate) => html`<p key=${gate.approvalId} class="notice">It waits: <a href=${gatePath(gate.approvalId)}><${Text} text=${gate.tool} /></a></p>`)}
    ${(data.output ?? data.message) && html`<section class="card" aria-labelledby="answer"><h2 id="answer">${data.output ? 'Its answer' : 'How it ended'}</h2><blockquote><${Text} text=${data.output ?? data.message ?? ''} /></blockquote>${data.output && data.message && html`<p class="fine"><${Text} text=${data.message} /></p>`}</section>`}
    ${data.compensation && html`<${Undone} compensation=${data.compensation} />`}
    <section class="card" aria-labelledby="timeline"><h2 id="timeline">Timeline</h2>${timeline.data ? html`<${Timeline} timeline=${timeline.data} />` : html`<p class="muted">${timeline.problem ? 'It can’t be read just now.' : 'Loading…'}</p>`}</section>
    <div class="columns"><${Ledger} run=${data} /><${Family} run=${data} /></div>
    <${FeedbackCard} agentRunId=${agentRunId} given=${data.feedback ?? []} say=${say} onGiven=${run.refresh} />
    ${
      isCancelling &&
      html`<${CancelDialog} agentRunId=${agentRunId} onClose=${(text: string | null) => {
        setCancelling(false);
        if (text) say(text);
        run.refresh();
      }} />`
    }
  </article>`;
}

/** What was undone after a failure, last first, and what was not. */
function Undone({ compensation: { undone, left, undoneCount, leftCount } }: { readonly compensation: NonNullable<RunReport['compensation']> }): VNode {
  return html`<section class="card" aria-labelledby="undone"><h2 id="undone">What was undone</h2>
    ${undoneCount === 0 && leftCount === 0 && html`<p class="muted">There was nothing to undo.</p>`}
    ${undone.length > 0 && html`<ol class="done">${undone.map(({ tool, by }, index) => html`<li key=${index}><${Text} text=${tool} /> <span class="muted">by</span> <${Text} text=${by} /></li>`)}</ol>`}
    ${undoneCount > undone.length && html`<p class="muted">and ${undoneCount - undone.length} more</p>`}
    ${left.length > 0 && html`<div class="notice warn"><p><strong>Not undone: ${leftCount}.</strong></p>${left.map(({ tool, reason }, index) => html`<p key=${index}><${Text} text=${tool} />: <${Text} text=${reason} /></p>`)}</div>`}
  </section>`;
}

function Ledger({ run: { ledger, attempts, tokens } }: { readonly run: RunReport }): VNode {
  const lines: readonly (readonly [string, string])[] = [
    ['Limit', ledger.limitUsd],
    ['Settled', ledger.settledUsd],
    ['Held, of unknown outcome', ledger.heldUsd],
    ['Written off', ledger.writtenOffUsd],
    ['Beyond its bound', ledger.overrunUsd],
  ];
  return html`<section class="card" aria-labelledby="ledger"><h2 id="ledger">Ledger</h2>
    <${Meter} label="Spent" used=${Number(ledger.settledUsd)} held=${Number(ledger.heldUsd)} limit=${Number(ledger.limitUsd)} />
    <dl class="ledger">${lines.map(([name, amount]) => html`<div key=${name}><dt>${name}</dt><dd>${usdText(amount)}</dd></div>`)}
      <div><dt>Model calls</dt><dd>${attempts.length}</dd></div>
      ${tokens && html`<div><dt>Tokens</dt><dd>${tokens.used.toLocaleString('en')} of ${tokens.limit.toLocaleString('en')}</dd></div>`}
    </dl></section>`;
}

function Family({ run: { models, parent, children = [], gates, failureType } }: { readonly run: RunReport }): VNode {
  return html`<section class="card" aria-labelledby="about"><h2 id="about">About</h2><dl class="ledger">
    <div><dt>Models</dt><dd>${models.map((model) => html`<div key=${model}><${Text} text=${model} /></div>`)}</dd></div>
    <div><dt>Gates</dt><dd>${gates.length === 0 ? 'none' : gates.map(({ approvalId, tool, status }) => html`<div key=${approvalId}><a href=${gatePath(approvalId)}><${Text} text=${tool} /></a> <span class="status" data-status=${status}>${statusText(status)}</span></div>`)}</dd></div>
    ${failureType && html`<div><dt>Failure</dt><dd><code>${failureType}</code></dd></div>`}
    ${parent && html`<div><dt>Part of</dt><dd><a href=${runPath(parent)}><${Text} text=${parent} /></a></dd></div>`}
    ${children.length > 0 && html`<div><dt>Children</dt><dd>${children.map((child) => html`<div key=${child.agentRunId}><a href=${runPath(child.agentRunId)}><${Text} text=${child.agentRunId} /></a> ${usdText(child.ledger.settledUsd)}</div>`)}</dd></div>`}
  </dl></section>`;
}

function CancelDialog({ agentRunId, onClose }: { readonly agentRunId: string; readonly onClose: (text: string | null) => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const send = async () => {
    try {
      await cancelRun(agentRunId);
      onClose('The run was asked to stop. What it was doing is finished or held first.');
    } catch (error) {
      onClose(error instanceof ApiError ? `It goes on. ${plainText(error.problem.detail)}` : 'It goes on: the request failed.');
    }
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="cancel-title" onCancel=${(event: Event) => {
    event.preventDefault();
    onClose(null);
  }}>
    <h2 id="cancel-title">Cancel this run?</h2>
    <p>Its gates are withdrawn, and it does not go on. What it has done and spent stays.</p>
    <div class="buttons"><button type="button" class="button" onClick=${() => onClose(null)}>Back</button><button type="button" class="button danger" onClick=${() => void send()}>Cancel the run</button></div>
  </dialog>`;
}
