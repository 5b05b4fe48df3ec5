import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { plainText, statusText } from './format.ts';
import { html } from './html.ts';
import { Ago, Meter, Trouble } from './pieces.ts';
import { usePoll } from './poll.ts';
import { runPath } from './place.ts';
import type { RunSummary } from './types.ts';

const EVERY_MS = 3_000;
const STATUSES = ['', 'awaitingApproval', 'running', 'paused', 'completed', 'failed', 'budgetExhausted', 'denied', 'expired', 'cancelled'];

/** The newest runs, with what they have spent of their budgets. */
export function RunsPage(): VNode {
  const [status, setStatus] = useState('');
  const { data, problem, refresh } = usePoll<readonly RunSummary[]>(`/v1/runs?limit=50${status ? `&status=${status}` : ''}`, EVERY_MS);
  return html`<div class="page">
    <div class="page-head">
      <h1>Runs</h1>
      <label class="filter">Status
        <select value=${status} onChange=${(event: Event) => setStatus((event.target as HTMLSelectElement).value)}>
          ${STATUSES.map((one) => html`<option key=${one} value=${one}>${one ? statusText(one) : 'all'}</option>`)}
        </select>
      </label>
    </div>
    ${problem && !data && html`<${Trouble} problem=${problem} onRetry=${refresh} />`}
    ${!data && !problem && html`<p class="empty muted" aria-busy="true">Loading…</p>`}
    ${data?.length === 0 && html`<div class="empty"><p><strong>${status ? 'No run has this status.' : 'No run yet.'}</strong></p><p class="muted">A run is started by <code>npx tollgate run</code>, by your code, or over HTTP.</p></div>`}
    ${
      data &&
      data.length > 0 &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table>
        <thead><tr><th scope="col">Run</th><th scope="col">Task, tenant</th><th scope="col">Status</th><th scope="col">Spent of its budget</th><th scope="col">Started</th></tr></thead>
        <tbody>${data.map(
          (run) => html`<tr key=${run.firstExecutionRunId}>
            <th scope="row"><a href=${runPath(run.agentRunId)}><bdi>${plainText(run.agentRunId)}</bdi></a></th>
            <td><bdi>${plainText(run.task)}</bdi>, <bdi>${plainText(run.tenant)}</bdi></td>
            <td><span class="status" data-status=${run.status}>${statusText(run.status)}</span></td>
            <td><${Meter} label="Spent" used=${Number(run.ledger.settledUsd)} held=${Number(run.ledger.heldUsd)} limit=${Number(run.ledger.limitUsd)} /></td>
            <td><${Ago} at=${run.startedAt} /></td>
          </tr>`,
        )}</tbody>
      </table></div>`
    }
  </div>`;
}
