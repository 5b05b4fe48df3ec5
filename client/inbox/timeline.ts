import type { VNode } from 'preact';
import { durationText, plainText, statusText, usdText } from './format.ts';
import { html } from './html.ts';
import { useNow } from './poll.ts';
import { gatePath } from './place.ts';
import { timeScale } from './time-scale.ts';
import type { TimelineReport, TimelineSpan } from './types.ts';

const KINDS: Readonly<Record<TimelineSpan['type'], string>> = { attempt: 'model', toolCall: 'tool', gate: 'gate' };
const MAX_SHOWN = 300;

/** What a run did and waited for, each with its time and cost; the bars show in which order and what at once. */
export function Timeline({ timeline }: { readonly timeline: TimelineReport }): VNode {
  const now = useNow();
  const spans = timeline.spans.slice(-MAX_SHOWN);
  const endOf = ({ endedAt }: TimelineSpan) => (endedAt === null ? now : Date.parse(endedAt));
  const at = timeScale(spans.flatMap((span) => [Date.parse(span.startedAt), endOf(span)]));
  if (spans.length === 0) return html`<p class="muted">Nothing has happened yet.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Timeline, table"><table class="timeline">
    <caption class="fine">${timeline.total > spans.length ? `The last ${spans.length} of ${timeline.total}. ` : ''}Long waits are drawn shorter than they were.</caption>
    <thead><tr><th scope="col">Step</th><th scope="col">What</th><th scope="col" class="wide">When</th><th scope="col" class="number">Took</th><th scope="col" class="number">Cost</th></tr></thead>
    <tbody>${spans.map((span, index) => {
      const from = at(Date.parse(span.startedAt)) * 100;
      const width = Math.max(0.8, at(endOf(span)) * 100 - from);
      const took = durationText(endOf(span) - Date.parse(span.startedAt));
      return html`<tr key=${index}>
        <td>${span.step ?? ''}</td>
        <th scope="row"><span class="what">
          <span class="kind" data-kind=${span.type}>${KINDS[span.type]}</span>
          ${span.approvalId ? html`<a href=${gatePath(span.approvalId)}><bdi>${plainText(span.label)}</bdi></a>` : html`<bdi>${plainText(span.label)}</bdi>`}
          <span class="status" data-status=${span.status}>${statusText(span.status)}</span>
        </span></th>
        <td class="wide"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
          <line class="axis" x1="0" x2="100" y1="5" y2="5" /><rect class="span" data-kind=${span.type} data-status=${span.status} x=${Math.min(from, 99.2)} y="1" width=${width} height="8" rx="0.6" />
        </svg></td>
        <td class="number">${took}${span.endedAt === null ? ' …' : ''}</td>
        <td class="number">${span.costUsd === undefined ? '' : span.costUsd === null ? 'not known' : usdText(span.costUsd)}</td>
      </tr>`;
    })}</tbody>
  </table></div>`;
}
