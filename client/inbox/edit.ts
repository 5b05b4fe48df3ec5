import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sendOne } from './decision.ts';
import { readArguments } from './edited.ts';
import { type Json, plainText, rawJson } from './format.ts';
import { html } from './html.ts';
import type { GateReport } from './types.ts';

/** The arguments as JSON, to be changed. What comes of it is another action, with a digest of its own, that is asked about anew. */
export function EditDialog({ gate, onClose }: { readonly gate: GateReport; readonly onClose: (said: string | null) => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const json = useRef<HTMLTextAreaElement>(null);
  const comment = useRef<HTMLTextAreaElement>(null);
  const [mistake, setMistake] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  const before = rawJson(gate.arguments);
  useLayoutEffect(() => {
    dialog.current?.showModal();
    json.current?.focus();
  }, []);
  const refuse = (why: string) => {
    setMistake(why);
    json.current?.focus();
  };
  const send = async () => {
    const edited = readArguments(json.current?.value ?? '', gate.arguments as Json);
    if (edited.type === 'mistake') return refuse(edited.why);
    setSending(true);
    const words = comment.current?.value.trim() ?? '';
    const decided = await sendOne(gate, { verdict: 'edit', actionDigest: gate.actionDigest, arguments: edited.value, ...(words ? { comment: words } : {}) });
    setSending(false);
    if (decided.type === 'refused') return refuse(plainText(decided.problem.detail));
    onClose(decided.type === 'accepted' ? `Changed. ${decided.message}` : decided.message);
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="edit-title" onCancel=${(event: Event) => {
    event.preventDefault();
    if (!isSending) onClose(null);
  }}>
    <form method="dialog" onSubmit=${(event: Event) => {
      event.preventDefault();
      if (!isSending) void send();
    }}>
      <h2 id="edit-title">Change the arguments</h2>
      <p class="muted">It is asked about anew as you leave it: approvals given so far do not count for it.</p>
      <label for="edit-json">Arguments, as JSON</label>
      <textarea id="edit-json" class="code" ref=${json} rows="12" spellcheck=${false} defaultValue=${before} aria-invalid=${mistake !== null}
        aria-describedby=${mistake === null ? undefined : 'edit-mistake'}></textarea>
      ${mistake !== null && html`<p id="edit-mistake" class="error" role="alert">${mistake}</p>`}
      <label for="edit-comment">Why (optional)</label>
      <textarea id="edit-comment" ref=${comment} rows="2" maxlength="4000"></textarea>
      <div class="buttons">
        <button type="button" class="button" disabled=${isSending} onClick=${() => onClose(null)}>Back</button>
        <button type="submit" class="button primary" aria-busy=${isSending}>${isSending ? 'Sending…' : 'Change'}</button>
      </div>
    </form>
  </dialog>`;
}
