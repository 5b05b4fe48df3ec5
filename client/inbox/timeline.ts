import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { durationText, plainText, statusText, usdText } from './format.ts';
import { html } from './html.ts';
import { useNow } from './poll.ts';
import { gatePath } from './place.ts';
import { timeScale, type TimeScale } from './time-scale.ts';
import type { TimelineReport, TimelineSpan } from './types.ts';

const KINDS: Readonly<Record<TimelineSpan['type'], string>> = { attempt: 'model', toolCall: 'tool', gate: 'gate' };
const LANES: readonly TimelineSpan['type'][] = ['attempt', 'toolCall', 'gate'];
/** Rows at first, enough for thirty steps; and so many more at a time. */
const SHOWN = 120;
const MORE = 300;
/** Marks in the picture: beyond that they lie over each other. */
const MAX_DRAWN = 2_000;

type EndOf = (span: TimelineSpan) => number;

/** What a run did and waited for: as one picture, then each with its time and cost, the last ones first where there are many. */
export function Timeline({ timeline }: { readonly timeline: TimelineReport }): VNode {
  const [shown, setShown] = useState(SHOWN);
  const all = timeline.spans;
  const now = useNow(all.some(({ endedAt }) => endedAt === null));
  const endOf: EndOf = ({ endedAt }) => (endedAt === null ? now : Date.parse(endedAt));
  if (all.length === 0) return html`<p class="muted">Nothing has happened yet.</p>`;
  const spans = all.slice(-shown);
  const hidden = timeline.total - spans.length;
  return html`<${Picture} spans=${all.slice(-MAX_DRAWN)} endOf=${endOf} />
    ${
      hidden > 0 &&
      html`<p class="fine">Below are the last ${spans.length} of ${timeline.total}. ${
        all.length > spans.length
          ? html`<button type="button" class="link" onClick=${() => setShown(shown + MORE)}>Show ${Math.min(MORE, all.length - spans.length)} earlier ones</button>`
          : 'The ones before are in the command line: tollgate runs show --json.'
      }</p>`
    }
    <${Table} spans=${spans} endOf=${endOf} />`;
}

function Picture({ spans, endOf }: { readonly spans: readonly TimelineSpan[]; readonly endOf: EndOf }): VNode {
  const at = scaleOf(spans, endOf);
  const from = Date.parse(spans[0]?.startedAt ?? '');
  const to = Math.max(...spans.map(endOf));
  const steps = new Set(spans.flatMap(({ step }) => step ?? [])).size;
  const count = (type: TimelineSpan['type'], one: string) => {
    const { length } = spans.filter((span) => span.type === type);
    return `${length} ${length === 1 ? one : `${one}s`}`;
  };
  const words = `${steps} ${steps === 1 ? 'step' : 'steps'} in ${durationText(to - from)}: ${count('attempt', 'model call')}, ${count('toolCall', 'tool call')}, ${count('gate', 'gate')}`;
  return html`<figure class="lanes">
    <div class="lane-names" aria-hidden="true">${LANES.map((type) => html`<span key=${type} class="kind" data-kind=${type}>${KINDS[type]}</span>`)}</div>
    <svg viewBox="0 0 1000 60" preserveAspectRatio="none" role="img" aria-label=${words}>
      ${LANES.map((type, lane) => html`<line key=${type} class="axis" x1="0" x2="1000" y1=${lane * 20 + 10} y2=${lane * 20 + 10} />`)}
      ${spans.map((span, index) => {
        const [x, width] = barOf(span, at, endOf, 1_000, 2);
        return html`<rect key=${index} class="span" data-kind=${span.type} data-bad=${isBad(span)} x=${x} y=${LANES.indexOf(span.type) * 20 + 3} width=${width} height="14" rx="1" />`;
      })}
    </svg>
    <figcaption>${words}. Long waits are drawn shorter than they were.</figcaption>
  </figure>`;
}

function Table({ spans, endOf }: { readonly spans: readonly TimelineSpan[]; readonly endOf: EndOf }): VNode {
  const at = scaleOf(spans, endOf);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Timeline, table"><table class="timeline">
    <thead><tr><th scope="col">Step</th><th scope="col">What</th><th scope="col" class="wide">When</th><th scope="col" class="number">Took</th><th scope="col" class="number">Cost</th></tr></thead>
    <tbody>${spans.map((span, index) => {
      const isSameStep = index > 0 && span.step !== null && spans[index - 1]?.step === span.step;
      const [x, width] = barOf(span, at, endOf, 100, 0.8);
      return html`<tr key=${`${span.startedAt} ${span.type} ${index}`} class=${isSameStep ? 'same-step' : ''}>
        <td>${isSameStep ? html`<span class="sr">${span.step}</span>` : (span.step ?? '')}</td>
        <th scope="row"><span class="what">
          <span class="kind" data-kind=${span.type}>${KINDS[span.type]}</span>
          ${span.approvalId ? html`<a href=${gatePath(span.approvalId)}><bdi>${plainText(span.label)}</bdi></a>` : html`<bdi>${plainText(span.label)}</bdi>`}
          <span class="status" data-status=${span.status}>${statusText(span.status)}</span>
        </span></th>
        <td class="wide"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
          <line class="axis" x1="0" x2="100" y1="5" y2="5" /><rect class="span" data-kind=${span.type} data-bad=${isBad(span)} x=${x} y="1" width=${width} height="8" rx="0.6" />
        </svg></td>
        <td class="number">${durationText(endOf(span) - Date.parse(span.startedAt))}${span.endedAt === null ? ' …' : ''}</td>
        <td class="number">${span.costUsd === undefined ? '' : span.costUsd === null ? 'not known' : usdText(span.costUsd)}</td>
      </tr>`;
    })}</tbody>
  </table></div>`;
}

function scaleOf(spans: readonly TimelineSpan[], endOf: EndOf): TimeScale {
  return timeScale(spans.flatMap((span) => [Date.parse(span.startedAt), endOf(span)]));
}

/** Where a span begins and how wide it is, never too thin to be seen. */
function barOf(span: TimelineSpan, at: TimeScale, endOf: EndOf, whole: number, thinnest: number): readonly [number, number] {
  const from = at(Date.parse(span.startedAt)) * whole;
  return [Math.min(from, whole - thinnest), Math.max(thinnest, at(endOf(span)) * whole - from)];
}

const GOOD = ['ok', 'done', 'inFlight', 'running', 'open', 'approved', 'consumed', 'withdrawn'];

function isBad({ status }: TimelineSpan): boolean {
  return !GOOD.includes(status);
}
