import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { postAt, whoLooks } from './api.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { isMine } from './inbox.ts';
import { useKeys } from './keys.ts';
import { Ago, Key, Text } from './pieces.ts';
import type { GateContext, GateReport } from './types.ts';

const MAX_QUESTION_LENGTH = 2_000;

type Question = NonNullable<GateReport['questions']>[number];

interface AttentionProps {
  readonly data: GateContext;
  readonly mayDecide: boolean;
  /** Asks for the gate anew. */
  readonly onChange: () => void;
}

/** What an approver does at a gate beside deciding: ask the agent, and show others who is looking at it. */
export function Attention({ data, mayDecide, onChange }: AttentionProps): VNode {
  const { gate } = data;
  const { claim, questions = [] } = gate;
  const [asking, setAsking] = useState<GateReport | null>(null);
  const [said, setSaid] = useState('');
  const mayTakePart = mayDecide && gate.status === 'open' && (isMine(data) || data.standing === 'youHaveDecided');
  const isTaken = claim !== undefined && claim.by === whoLooks()?.name;
  const isOthers = claim !== undefined && !isTaken;
  const ask = () => {
    if (mayTakePart) setAsking(gate);
  };
  const takeOrRelease = async () => {
    if (!mayTakePart || isOthers) return;
    const answer = await postAt(`/v1/approvals/${encodeURIComponent(gate.approvalId)}/${isTaken ? 'release' : 'claim'}`);
    if (answer.type === 'done') setSaid(isTaken ? 'You have given it back.' : 'Others see for ten minutes that you are looking at it.');
    else setSaid(plainText(answer.problem.detail));
    onChange();
  };
  useKeys({ q: ask, t: () => void takeOrRelease() });
  const close = (words: string | null) => {
    setAsking(null);
    if (words) setSaid(words);
    onChange();
  };
  return html`<section class="card attention" aria-labelledby="attention">
    <div class="card-head">
      <h2 id="attention">Questions to the agent</h2>
      ${
        mayTakePart &&
        !isOthers &&
        html`<button type="button" class="link" aria-keyshortcuts="t" onClick=${() => void takeOrRelease()}>${isTaken ? 'Give it back' : 'I am looking at it'} <${Key} name="t" /></button>`
      }
    </div>
    ${claim && html`<p class="notice">${isTaken ? html`<strong>You</strong> are looking at it.` : html`<strong><${Text} text=${claim.displayName ?? claim.by} /></strong> is looking at it.`}</p>`}
    ${questions.map((question) => html`<${Exchange} key=${question.questionId} question=${question} gate=${gate} />`)}
    ${questions.length === 0 && html`<p class="muted">Nobody has asked anything.</p>`}
    <p class="fine" role="status">${said}</p>
    ${mayTakePart && html`<button type="button" class="button" aria-keyshortcuts="q" onClick=${ask}>Ask the agent <${Key} name="q" /></button>`}
    ${asking && html`<${QuestionDialog} gate=${asking} onClose=${close} />`}
  </section>`;
}

/** A question with what came of it. An answer is words of a model, and is shown as such. */
function Exchange({ question, gate }: { readonly question: Question; readonly gate: GateReport }): VNode {
  const { by, displayName, text, at, actionDigest, answer } = question;
  return html`<div class="exchange">
    <figure>
      <figcaption><${Text} text=${displayName ?? by} /> asked, <${Ago} at=${at} />${actionDigest !== gate.actionDigest && ', before the action was changed'}</figcaption>
      <blockquote class="quiet"><${Text} text=${text} /></blockquote>
    </figure>
    ${!answer && (gate.status === 'open' ? html`<p class="muted" aria-busy="true">The agent is asked…</p>` : html`<p class="muted">The gate was over before an answer came.</p>`)}
    ${
      answer?.type === 'answered' &&
      html`<figure>
        <figcaption>The agent answered, <${Ago} at=${answer.at} />. Its words decide nothing.</figcaption>
        <blockquote><${Text} text=${answer.text} /></blockquote>
      </figure>`
    }
    ${
      answer?.type === 'notAnswered' &&
      html`<p class="notice warn"><strong>${answer.why === 'budget' ? 'The budget does not allow an answer.' : 'There is no answer.'}</strong> <${Text} text=${answer.message} /></p>`
    }
  </div>`;
}

function QuestionDialog({ gate, onClose }: { readonly gate: GateReport; readonly onClose: (words: string | null) => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const words = useRef<HTMLTextAreaElement>(null);
  const [mistake, setMistake] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  useLayoutEffect(() => {
    dialog.current?.showModal();
    words.current?.focus();
  }, []);
  const refuse = (why: string) => {
    setMistake(why);
    words.current?.focus();
  };
  const send = async () => {
    const text = words.current?.value.trim() ?? '';
    if (text === '') return refuse('Write what you want to know.');
    if (isSending) return;
    setSending(true);
    const answer = await postAt(`/v1/approvals/${encodeURIComponent(gate.approvalId)}/questions`, { text, actionDigest: gate.actionDigest });
    setSending(false);
    if (answer.type === 'done') return onClose('The agent is asked.');
    refuse(
      answer.problem.reason === 'wrongDigest'
        ? 'The action has changed since you looked at it. Nothing was asked; look again.'
        : plainText(answer.problem.detail),
    );
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void send();
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="question-title" onCancel=${(event: Event) => {
    event.preventDefault();
    if (!isSending) onClose(null);
  }}>
    <form method="dialog" onSubmit=${(event: Event) => {
      event.preventDefault();
      void send();
    }}>
      <h2 id="question-title">Ask the agent</h2>
      <p class="muted">It answers from what it knows, does nothing meanwhile, and decides nothing. The answer is paid from the budget of its run.</p>
      <label for="question-words">Question</label>
      <textarea id="question-words" ref=${words} rows="3" maxlength=${MAX_QUESTION_LENGTH} onKeyDown=${onKeyDown} aria-invalid=${mistake !== null}
        aria-describedby=${mistake === null ? undefined : 'question-mistake'}></textarea>
      ${mistake !== null && html`<p id="question-mistake" class="error" role="alert">${mistake}</p>`}
      <div class="buttons">
        <button type="button" class="button" disabled=${isSending} onClick=${() => onClose(null)}>Back</button>
        <button type="submit" class="button primary" aria-busy=${isSending}>${isSending ? 'Sending…' : 'Ask'} <kbd aria-hidden="true">↵</kbd></button>
      </div>
    </form>
  </dialog>`;
}
