import type { VNode } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { ApiError, giveFeedback } from './api.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { Ago, Text } from './pieces.ts';
import type { RunReport } from './types.ts';

const MAX_SHOWN = 20;

interface FeedbackProps {
  readonly agentRunId: string;
  readonly given: NonNullable<RunReport['feedback']>;
  readonly say: (text: string) => void;
  readonly onGiven: () => void;
}

/** What people think of a run: thumbs, and words where somebody has some. It goes into reports and to the sinks. */
export function FeedbackCard({ agentRunId, given, say, onGiven }: FeedbackProps): VNode {
  const [score, setScore] = useState<1 | -1 | null>(null);
  const [isSending, setSending] = useState(false);
  const [mistake, setMistake] = useState<string | null>(null);
  const words = useRef<HTMLTextAreaElement>(null);
  const id = useRef(newId());
  const send = async () => {
    if (score === null || isSending) return;
    setSending(true);
    const comment = words.current?.value.trim() ?? '';
    try {
      await giveFeedback(agentRunId, { score, feedbackId: id.current, ...(comment ? { comment } : {}) });
      id.current = newId();
      setScore(null);
      setMistake(null);
      say('Thank you. It is kept with the run.');
      onGiven();
    } catch (error) {
      setMistake(error instanceof ApiError ? plainText(error.problem.detail) : 'It was not kept.');
    }
    setSending(false);
  };
  const thumb = (value: 1 | -1, text: string) =>
    html`<button type="button" class="button thumb" aria-pressed=${score === value} onClick=${() => setScore(score === value ? null : value)}><${Thumb} score=${value} /> ${text}</button>`;
  return html`<section class="card" aria-labelledby="feedback"><h2 id="feedback">Was it any good?</h2>
    <div class="thumbs" role="group" aria-labelledby="feedback">${thumb(1, 'Good')} ${thumb(-1, 'Bad')}</div>
    ${
      score !== null &&
      html`<form class="words" onSubmit=${(event: Event) => {
        event.preventDefault();
        void send();
      }}>
        <label for="feedback-words">Why (optional; kept with values masked)</label>
        <textarea id="feedback-words" ref=${words} rows="2" maxlength="4000"></textarea>
        ${mistake !== null && html`<p class="error" role="alert">${mistake}</p>`}
        <div class="buttons"><button type="submit" class="button primary" aria-busy=${isSending}>${isSending ? 'Sending…' : 'Send'}</button></div>
      </form>`
    }
    ${given.length > MAX_SHOWN && html`<p class="fine">The last ${MAX_SHOWN} of ${given.length}.</p>`}
    ${
      given.length > 0 &&
      html`<ul class="votes">${given.slice(-MAX_SHOWN).map(
        ({ feedbackId, score: value, label, comment, step, actor, at }) => html`<li key=${feedbackId}>
        <span class="status" data-status=${value < 0 ? 'denied' : 'approved'}><${Thumb} score=${value} /> ${value === 1 ? 'good' : value === -1 ? 'bad' : value}</span>
        <span> by <strong><${Text} text=${actor} /></strong>${step === null ? '' : `, step ${step}`}, <${Ago} at=${at} /></span>
        ${label !== null && html` <span class="badge"><${Text} text=${label} /></span>`}
        ${comment !== null && html`<blockquote class="quiet"><${Text} text=${comment} /></blockquote>`}
      </li>`,
      )}</ul>`
    }
  </section>`;
}

function Thumb({ score }: { readonly score: number }): VNode {
  return html`<svg class=${score < 0 ? 'hand down' : 'hand'} viewBox="0 0 24 24" aria-hidden="true"><path d="M7 11v9H4v-9zM7 11l4-8c2 0 3 1 2.600 3L13 9h6c1.500 0 2.300 1.200 2 2.500l-1.600 7c-.3 1-1 1.500-2 1.500H7" /></svg>`;
}

/** Also where the page came by plain HTTP, and the browser makes no UUIDs. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
