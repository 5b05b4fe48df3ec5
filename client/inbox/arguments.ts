import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { type Json, labelOf, plainText, rawJson, showValue } from './format.ts';
import { html } from './html.ts';
import { Text } from './pieces.ts';

/** Deeper than this, and beyond so many, values are shown as JSON. */
const MAX_DEPTH = 4;
const MAX_FIELDS = 60;
const MAX_RAW = 200_000;

interface TableProps {
  readonly value: Json;
  readonly values?: Readonly<Record<string, string>>;
  /** Paths whose values have changed since they were first looked at. */
  readonly changed?: readonly string[];
}

/** The arguments of an action, a line each. */
export function ArgumentsTable({ value, values = {}, changed = [] }: TableProps): VNode {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return html`<p class="value"><${Value} name="" value=${value} siblings=${{}} values=${values} depth=${0} /></p>`;
  const fields = value as { readonly [key: string]: Json };
  if (Object.keys(fields).length === 0) return html`<p class="muted">It takes no arguments.</p>`;
  return html`<${Fields} fields=${fields} values=${values} depth=${0} path="" changed=${changed} />`;
}

function Fields(props: {
  fields: { readonly [key: string]: Json };
  values: Readonly<Record<string, string>>;
  depth: number;
  path: string;
  changed: readonly string[];
}): VNode {
  const { fields, values, depth, path, changed } = props;
  const entries = Object.entries(fields);
  return html`<dl class="fields">
    ${entries.slice(0, MAX_FIELDS).map(([key, value]) => {
      const at = path ? `${path}.${key}` : key;
      const { unit } = showValue(key, value, fields);
      const label = unit ? labelOf(key).replace(new RegExp(` ?${unit}$`), '') : labelOf(key).replace(/(?<=.) usd$/, '');
      const isChanged = changed.some((other) => other === at || other.startsWith(`${at}.`));
      return html`<div key=${key} class=${isChanged ? 'field changed' : 'field'}>
        <dt title=${plainText(key)}><${Text} text=${label || key || '(no name)'} />${isChanged && html`<span class="badge">changed</span>`}</dt>
        <dd><${Value} name=${key} value=${value} siblings=${fields} values=${values} depth=${depth} path=${at} changed=${changed} /></dd>
      </div>`;
    })}
    ${entries.length > MAX_FIELDS && html`<div class="field"><dt>further fields</dt><dd>${entries.length - MAX_FIELDS}, in the raw JSON</dd></div>`}
  </dl>`;
}

interface ValueProps {
  readonly name: string;
  readonly value: Json;
  readonly siblings: { readonly [key: string]: Json };
  readonly values: Readonly<Record<string, string>>;
  readonly depth: number;
  readonly path?: string;
  readonly changed?: readonly string[];
}

function Value({ name, value, siblings, values, depth, path = '', changed = [] }: ValueProps): VNode {
  const shown = showValue(name, value, siblings);
  if (shown.kind === 'list' || shown.kind === 'object') {
    const isEmpty = shown.kind === 'list' ? (value as readonly Json[]).length === 0 : Object.keys(value as object).length === 0;
    if (isEmpty) return html`<span class="muted">${shown.text}</span>`;
    if (depth >= MAX_DEPTH) return html`<code class="raw-inline"><${Text} text=${rawJson(value)} /></code>`;
    if (shown.kind === 'object') return html`<${Fields} fields=${value} values=${values} depth=${depth + 1} path=${path} changed=${changed} />`;
    const list = value as readonly Json[];
    return html`<ol class="list">
      ${list.slice(0, MAX_FIELDS).map((entry, index) => html`<li key=${index}><${Value} name=${name} value=${entry} siblings=${{}} values=${values} depth=${depth + 1} /></li>`)}
      ${list.length > MAX_FIELDS && html`<li class="muted">and ${list.length - MAX_FIELDS} more, in the raw JSON</li>`}
    </ol>`;
  }
  const isDifferent = shown.raw !== undefined && shown.raw !== shown.text && shown.kind !== 'flag';
  return html`<span class=${`value ${shown.kind}`}><${Text} text=${shown.text} values=${values} /></span>${
    isDifferent && html` <code class="sent" title="As it is sent">${shown.raw}${shown.unit && ` ${shown.unit}`}</code>`
  }`;
}

/** The very JSON, whole. */
export function RawJson({ value }: { readonly value: Json }): VNode {
  const [isWhole, setWhole] = useState(false);
  const text = rawJson(value);
  const isCut = text.length > MAX_RAW && !isWhole;
  return html`<pre class="raw" tabindex="0" aria-label="Raw JSON of the arguments"><code>${isCut ? text.slice(0, MAX_RAW) : text}</code></pre>
    ${isCut && html`<button type="button" class="link" onClick=${() => setWhole(true)}>Show all ${text.length.toLocaleString('en')} characters</button>`}`;
}
