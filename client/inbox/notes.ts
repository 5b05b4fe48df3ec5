import type { VNode } from 'preact';
import { html } from './html.ts';
import { Ago, Countdown, Meter, Text } from './pieces.ts';
import type { GateContext, GateReport } from './types.ts';

/** What holds an action back, who did that, and why. */
export function Stopped({ gate: { stopped = [], status } }: { readonly gate: GateReport }): VNode | null {
  if (stopped.length === 0) return null;
  return html`<div class="notice warn" role="status">
    <p><strong>Stopped.</strong> ${status === 'open' ? 'You may decide; the action does not begin before this is lifted.' : 'The action does not begin before this is lifted, and then goes on by itself.'}</p>
    ${stopped.map(({ stopId, by, reason, at }) => html`<p key=${stopId}><strong><${Text} text=${by} /></strong> stopped it <${Ago} at=${at} />: <${Text} text=${reason} /></p>`)}
  </div>`;
}

/** The standing approval that stands in for people, and what is left of it. */
export function Grant({ grant }: { readonly grant: GateContext['grant'] }): VNode | null {
  if (!grant) return null;
  const { standingId, grantedBy, summary, uses, maxUses, used, total, until, status, revoked } = grant;
  const number = (amount: number) => amount.toLocaleString('en', { maximumFractionDigits: 6 });
  return html`<div class="grant">
    <p>Nobody was asked: a <strong>standing approval</strong> of <strong><${Text} text=${grantedBy.join(', ')} /></strong> covers it.</p>
    <p class="muted"><${Text} text=${summary} /></p>
    <${Meter} label="Times used" used=${uses} limit=${maxUses} text=${`${uses} of ${maxUses} times used`} />
    ${total && html`<${Meter} label=${`Total of ${total.argument}`} used=${used} limit=${total.atMost} text=${`${number(used)} of ${number(total.atMost)} in all (${total.argument})`} />`}
    <p class="fine">${
      revoked
        ? html`Revoked by <${Text} text=${revoked.by} />, <${Ago} at=${revoked.at} />: <${Text} text=${revoked.reason} />`
        : status === 'live'
          ? html`Ends in <${Countdown} at=${until} />`
          : status === 'usedUp'
            ? 'Used up.'
            : 'Over.'
    } <code><${Text} text=${standingId} /></code></p>
  </div>`;
}

/** What rules would ask that are only tried out. */
export function Tried({ gate: { tried } }: { readonly gate: GateReport }): VNode | null {
  if (!tried) return null;
  const { role, approvers, needs = [], limits = [] } = tried;
  const asks = [{ role, approvers }, ...needs].map(
    (one, index) => html`${index > 0 ? ' and ' : ''}<strong>${one.approvers}</strong> with the role <strong><${Text} text=${one.role} /></strong>`,
  );
  return html`<p class="tried"><span class="badge">tried out</span> With the rules that are only tried out, it would ask for ${asks}${limits.length > 0 ? ', within the limits of their roles' : ''}. They bind nobody yet.</p>`;
}

/** Somebody who decided, by the name that people call them, with the one that counts beside it. */
export function Voter({ vote: { approver, displayName, onBehalfOf, unverified } }: { readonly vote: GateReport['votes'][number] }): VNode {
  return html`<strong><${Text} text=${displayName ?? approver} /></strong>${displayName !== undefined && displayName !== approver && html` <span class="muted">(<${Text} text=${approver} />)</span>`}${
    onBehalfOf !== undefined && html` for <strong><${Text} text=${onBehalfOf} /></strong>`
  }${unverified ? ' (not verified)' : ''}`;
}
