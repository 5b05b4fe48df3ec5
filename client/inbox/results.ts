import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { type Outcome, refusalText } from './decision.ts';
import { plainText } from './format.ts';
import { html } from './html.ts';
import { gatePath } from './place.ts';
import { gateLine, wordingOf } from './wording.ts';

/** What became of each, where it is not the same of all. */
export function ResultsDialog({ outcome: { intent, results }, onClose }: { readonly outcome: Outcome; readonly onClose: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const close = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    dialog.current?.showModal();
    close.current?.focus();
  }, []);
  const wording = wordingOf(intent.gates[0] ?? { kind: 'action' });
  const accepted = results.filter(({ decided }) => decided.type === 'accepted');
  const others = results.filter(({ decided }) => decided.type !== 'accepted');
  const done = intent.verdict === 'deny' ? wording.noDone : wording.yesDone;
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="results-title" onClose=${onClose}>
    <h2 id="results-title">${done}: ${accepted.length} of ${results.length}</h2>
    <p>${others.length === 1 ? 'This one was not:' : `These ${others.length} were not:`}</p>
    <ul class="decided" tabindex="0" aria-label="Not decided">${others.map(
      ({ gate, decided }) => html`<li key=${gate.approvalId}>
        <a href=${gatePath(gate.approvalId)} onClick=${() => dialog.current?.close()}><bdi>${gateLine(gate)}</bdi></a>
        <div class="muted">${decided.type === 'refused' ? refusalText(decided.problem) : plainText(decided.message)}</div>
      </li>`,
    )}</ul>
    <div class="buttons"><button ref=${close} type="button" class="button primary" onClick=${() => dialog.current?.close()}>Close <kbd aria-hidden="true">↵</kbd></button></div>
  </dialog>`;
}
