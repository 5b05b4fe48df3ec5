import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from './html.ts';

const SWITCH = 'tollgate-keys';

export type Keys = Readonly<Record<string, () => void>>;

/** Single keys, while nothing is being written and no dialog is open. Whoever speaks to their machine can switch them off. */
export function useKeys(keys: Keys): void {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || isWriting(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      if (!areKeysOn() && event.key !== '?') return;
      const act = current.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target.type !== 'checkbox');
}

function areKeysOn(): boolean {
  return localStorage.getItem(SWITCH) !== 'off';
}

const HELP: readonly (readonly [string, string])[] = [
  ['j  k', 'next, previous'],
  ['a  ↵', 'approve'],
  ['d  ↵', 'deny, with a reason'],
  ['e', 'change the arguments'],
  ['q', 'ask the agent'],
  ['t', 'take it: others see that you look at it; again, give it back'],
  ['u', 'take your decision back'],
  ['r', 'the raw JSON, or the table'],
  ['o', 'open the run'],
  ['x', 'choose, to decide several at once'],
  ['X', 'choose all like it'],
  ['Esc', 'clear, close'],
  ['?', 'this page'],
];

export function KeyHelp({ onClose }: { readonly onClose: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isOn, setOn] = useState(areKeysOn());
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const change = (event: Event) => {
    const { checked } = event.target as HTMLInputElement;
    localStorage.setItem(SWITCH, checked ? 'on' : 'off');
    setOn(checked);
  };
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="keys-title" onClose=${onClose}>
    <h2 id="keys-title">Keys</h2>
    <dl class="keys">${HELP.map(([key, what]) => html`<div key=${key}><dt>${key.split('  ').map((one) => html`<kbd key=${one}>${one}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
    <label class="switch"><input type="checkbox" checked=${isOn} onChange=${change} /> Single keys are on</label>
    <div class="buttons"><button type="button" class="button" onClick=${() => dialog.current?.close()}>Close</button></div>
  </dialog>`;
}
