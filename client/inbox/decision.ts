import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, decide } from './api.ts';
import { decideMany } from './batch.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import type { Decided, Decision, GateReport, Problem } from './types.ts';
import { gateLine, wordingOf } from './wording.ts';

const MAX_LISTED = 50;

/** What is about to be decided: the gates as they were on the screen when the key was pressed. */
export interface Intent {
  readonly verdict: 'approve' | 'deny';
  readonly gates: readonly GateReport[];
}

export interface Outcome {
  readonly intent: Intent;
  readonly results: readonly { readonly gate: GateReport; readonly decided: Decided }[];
}

/** Asks once more, with the answer under the Enter key from the moment that the dialog is there, and sends each decision with the digest of what was shown. */
export function DecisionDialog({ intent, onClose }: { readonly intent: Intent; readonly onClose: (outcome: Outcome | null) => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const words = useRef<HTMLTextAreaElement>(null);
  const confirm = useRef<HTMLButtonElement>(null);
  const [isSending, setSending] = useState(false);
  const [done, setDone] = useState(0);
  const [missing, setMissing] = useState(false);
  const isDenial = intent.verdict === 'deny';
  useLayoutEffect(() => {
    dialog.current?.showModal();
    (isDenial ? words.current : confirm.current)?.focus();
  }, []);
  const [first] = intent.gates;
  if (!first) return html``;
  const wording = wordingOf(first);
  const send = async () => {
    const text = words.current?.value.trim() ?? '';
    if (isDenial && text === '') {
      setMissing(true);
      words.current?.focus();
      return;
    }
    if (isSending) return;
    setSending(true);
    onClose({ intent, results: await sendAll(intent, text, setDone) });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void send();
  };
  const many = intent.gates.length > 1 ? ` ${intent.gates.length}` : '';
  const title = isDenial ? `${wording.no}${many}?` : `${wording.yes}${many}?`;
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="decision-title" onCancel=${(event: Event) => {
    event.preventDefault();
    if (!isSending) onClose(null);
  }}>
    <form method="dialog" onSubmit=${(event: Event) => {
      event.preventDefault();
      void send();
    }}>
      <h2 id="decision-title">${title}</h2>
      <ul class="decided">
        ${intent.gates.slice(0, MAX_LISTED).map(
          (gate) => html`<li key=${gate.approvalId}>
            <strong><bdi>${wordingOf(gate).title ?? plainText(gate.tool)}</bdi></strong>${!wordingOf(gate).title && html` <span class="muted">→ <bdi>${plainText(gate.destination)}</bdi></span>`}
            <div><bdi>${gateLine(gate)}</bdi></div>
          </li>`,
        )}
        ${intent.gates.length > MAX_LISTED && html`<li>and ${intent.gates.length - MAX_LISTED} more</li>`}
      </ul>
      <label for="decision-words">${isDenial ? 'Reason, which the agent is told' : wording.comment}</label>
      <textarea id="decision-words" ref=${words} rows=${isDenial ? 3 : 2} maxlength="4000" onKeyDown=${onKeyDown}
        aria-invalid=${missing} aria-describedby=${missing ? 'decision-missing' : undefined}></textarea>
      ${missing && html`<p id="decision-missing" class="error" role="alert">Say why: the agent goes on from there.</p>`}
      <div class="buttons">
        <button type="button" class="button" disabled=${isSending} onClick=${() => onClose(null)}>Back</button>
        <button ref=${confirm} type="submit" class=${`button ${isDenial ? 'danger' : 'primary'}`} aria-busy=${isSending}>
          ${isSending ? (many && done > 0 ? `Sent ${done} of${many}…` : 'Sending…') : `${isDenial ? wording.no : wording.yes}${many}`} <kbd aria-hidden="true">↵</kbd>
        </button>
      </div>
    </form>
  </dialog>`;
}

async function sendAll(intent: Intent, text: string, onProgress: (done: number) => void): Promise<Outcome['results']> {
  const [gate, another] = intent.gates;
  if (!gate || another) return await decideMany(intent, text, onProgress);
  return [{ gate, decided: await sendOne(gate, toDecision(intent.verdict, gate.actionDigest, text)) }];
}

function toDecision(verdict: Intent['verdict'], actionDigest: string, text: string): Decision {
  if (verdict === 'deny') return { verdict, actionDigest, reason: text };
  return { verdict, actionDigest, ...(text ? { comment: text } : {}) };
}

/** A decision; where the API can't be reached, that is what became of it. */
export async function sendOne(gate: GateReport, decision: Decision): Promise<Decided> {
  try {
    return await decide(gate.approvalId, decision);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { problem } = error;
    if (problem.status === 401) return { type: 'refused', problem };
    return { type: 'undecided', message: `No answer came, so it is not known whether your decision arrived; the gate shows it. ${plainText(problem.detail)}` };
  }
}

/** Whether it is told of each by itself what became of it. */
export function isMixed({ results }: Outcome): boolean {
  return results.length > 1 && results.some(({ decided }) => decided.type !== 'accepted');
}

/** What became of one or many decisions, in a sentence. */
export function outcomeText({ intent, results }: Outcome): string {
  const [only] = results;
  if (results.length === 1 && only) return resultText(intent, only.gate, only.decided);
  const accepted = results.filter(({ decided }) => decided.type === 'accepted').length;
  const wording = wordingOf(intent.gates[0] ?? { kind: 'action' });
  return `${intent.verdict === 'deny' ? wording.noDone : wording.yesDone}: ${accepted}${accepted === results.length ? '' : ` of ${results.length}`}.`;
}

function resultText({ verdict }: Intent, gate: GateReport, decided: Decided): string {
  const wording = wordingOf(gate);
  switch (decided.type) {
    case 'accepted':
      return decided.gateStatus === 'open' ? `Your decision counts. ${decided.message}` : `${verdict === 'deny' ? wording.noDone : wording.yesDone}.`;
    case 'undecided':
      return decided.message;
    case 'refused':
      return refusalText(decided.problem);
  }
}

/** Why a decision changed nothing, in words for whoever sits before the page. */
export function refusalText({ reason, detail, login }: Problem): string {
  if (login) return 'Nothing was decided: you are not signed in any more.';
  switch (reason) {
    case 'wrongDigest':
      return 'The action has changed since you looked at it. Nothing was decided; look again.';
    case 'closed':
    case 'unknownGate':
      return 'It waits no more: somebody else was faster, it expired, or the run withdrew it. Your decision changed nothing.';
    default:
      return `Nothing was decided. ${plainText(detail)}`;
  }
}
