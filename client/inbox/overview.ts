import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { durationText, plainText, statusText, usdText } from './format.ts';
import { html } from './html.ts';
import { Meter, Trouble } from './pieces.ts';
import { usePoll } from './poll.ts';
import type { OverviewReport, QuotaReport } from './types.ts';

const EVERY_MS = 10_000;
const PERIODS = [1, 7, 14, 30, 90];

/** What runs spend against budgets and quotas, and how long people let them wait. */
export function OverviewPage(): VNode {
  const [days, setDays] = useState(14);
  const overview = usePoll<OverviewReport>(`/v1/overview?days=${days}`, EVERY_MS);
  const quotas = usePoll<readonly QuotaReport[]>('/v1/quotas', EVERY_MS);
  const { data } = overview;
  return html`<div class="page">
    <div class="page-head">
      <h1>Overview</h1>
      <label class="filter">Last
        <select value=${String(days)} onChange=${(event: Event) => setDays(Number((event.target as HTMLSelectElement).value))}>
          ${PERIODS.map((one) => html`<option key=${one} value=${String(one)}>${one === 1 ? 'day' : `${one} days`}</option>`)}
        </select>
      </label>
    </div>
    ${!data && (overview.problem ? html`<${Trouble} problem=${overview.problem} onRetry=${overview.refresh} />` : html`<p class="empty muted" aria-busy="true">Loading…</p>`)}
    ${data && html`<${Figures} overview=${data} /><${Days} overview=${data} /><${Budgets} overview=${data} quotas=${quotas.data} />`}
    ${data && html`<${Parts} name="Task" longestMs=${longestOf(data)} parts=${data.byTask.map(({ task, ...rest }) => ({ name: task, ...rest }))} /><${Parts} name="Tenant" longestMs=${longestOf(data)} parts=${data.byTenant.map(({ tenant, ...rest }) => ({ name: tenant, ...rest }))} />`}
    ${data && !data.isComplete && html`<p class="muted small">There is more than is summed here; choose fewer days.</p>`}
  </div>`;
}

function Figures({ overview: { days, waiting } }: { readonly overview: OverviewReport }): VNode {
  const sum = (amount: (day: OverviewReport['days'][number]) => string) => days.reduce((total, day) => total + Number(amount(day)), 0);
  const figures: readonly (readonly [string, string, string])[] = [
    ['Spent', usdText(sum(({ settledUsd }) => settledUsd)), `${days.reduce((total, { attempts }) => total + attempts, 0)} model calls`],
    ['Held', usdText(sum(({ heldUsd }) => heldUsd)), 'of unknown outcome'],
    ['Wait now', String(waiting.open), 'gates'],
    [
      'Median wait',
      waiting.medianMs === null ? '–' : durationText(waiting.medianMs),
      waiting.p95Ms === null ? 'none decided' : `95 % within ${durationText(waiting.p95Ms)}`,
    ],
    ['Expired', String(waiting.expired), `of ${waiting.gates} gates`],
  ];
  return html`<dl class="figures">${figures.map(([name, value, more]) => html`<div key=${name}><dt>${name}</dt><dd><span class="figure">${value}</span><span class="muted small">${more}</span></dd></div>`)}</dl>`;
}

function Days({ overview: { days } }: { readonly overview: OverviewReport }): VNode {
  const most = Math.max(...days.map(({ settledUsd }) => Number(settledUsd)), 1e-9);
  const words = days.filter(({ attempts }) => attempts > 0).map(({ day, settledUsd }) => `${day}: ${usdText(settledUsd)}`);
  return html`<section class="card" aria-labelledby="by-day"><h2 id="by-day">Spent by day</h2>
    <svg class="days" viewBox=${`0 0 ${days.length * 10} 60`} preserveAspectRatio="none" role="img" aria-label=${`Spent by day. ${words.join(', ') || 'Nothing.'}`}>
      ${days.map(({ day, settledUsd }, index) => {
        const height = (Number(settledUsd) / most) * 56;
        return html`<rect key=${day} class="track" x=${index * 10 + 1} y="59" width="8" height="1" /><rect class="used" x=${index * 10 + 1} y=${59 - height} width="8" height=${height} rx="0.8"><title>${day}: ${usdText(settledUsd)}</title></rect>`;
      })}
    </svg>
    <p class="ends fine"><span>${days[0]?.day}</span><span>at most ${usdText(most < 1e-8 ? 0 : most)} a day</span><span>${days.at(-1)?.day}</span></p>
  </section>`;
}

type Part = Omit<OverviewReport['byTask'][number], 'task'> & { readonly name: string };

function Parts({ name, parts, longestMs }: { readonly name: string; readonly parts: readonly Part[]; readonly longestMs: number }): VNode {
  const most = Math.max(...parts.map(({ settledUsd }) => Number(settledUsd)), 1e-9);
  const title = `By ${name.toLowerCase()}`;
  return html`<section class="card" aria-label=${title}><h2>${title}</h2>
    ${
      parts.length === 0
        ? html`<p class="muted">No run in this time.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title}, table`}><table>
      <thead><tr><th scope="col">${name}</th><th scope="col">Runs</th><th scope="col" class="bar-column">Spent</th><th scope="col" class="bar-column">Of their budgets</th><th scope="col" class="bar-column">Gates waited</th></tr></thead>
      <tbody>${parts.map(
        (part) => html`<tr key=${part.name}>
          <th scope="row"><bdi>${plainText(part.name)}</bdi></th>
          <td>${Object.entries(part.runs).map(([status, count]) => html`<div key=${status}>${count} ${count > 1 && status === 'awaitingApproval' ? 'wait for approval' : statusText(status)}</div>`)}</td>
          <td><${Meter} label=${`Spent by ${part.name}`} used=${Number(part.settledUsd)} limit=${most} text=${usdText(part.settledUsd)} /></td>
          <td><${Meter} label=${`Budgets of ${part.name}`} used=${Number(part.budgets.usedUsd)} limit=${Number(part.budgets.limitUsd)} text=${`${percent(part.budgets)} of ${usdText(part.budgets.limitUsd)}`} /></td>
          <td><${Waits} part=${part} longestMs=${longestMs} /></td>
        </tr>`,
      )}</tbody></table></div>`
    }
  </section>`;
}

function percent({ usedUsd, limitUsd }: Part['budgets']): string {
  const share = Number(limitUsd) > 0 ? (Number(usedUsd) / Number(limitUsd)) * 100 : 0;
  return share > 0 && share < 1 ? 'below 1 %' : `${Math.round(share)} %`;
}

function longestOf({ byTask, byTenant }: OverviewReport): number {
  return Math.max(1_000, ...[...byTask, ...byTenant].map(({ p95Ms }) => p95Ms ?? 0));
}

/** Half of the gates were decided within the dark bar, 95 % within both. On a scale of logarithms: seconds are seen beside days. */
function Waits({ part: { name, gates, decided, medianMs, p95Ms }, longestMs }: { readonly part: Part; readonly longestMs: number }): VNode {
  if (medianMs === null || p95Ms === null) return html`<span class="muted small">${gates === 0 ? 'no gates' : `none of ${gates} decided`}</span>`;
  const share = (ms: number) => Math.log2(1 + ms / 1_000) / Math.log2(1 + longestMs / 1_000);
  const words = `half within ${durationText(medianMs)}, 95 % within ${durationText(p95Ms)}; ${decided} of ${gates} decided`;
  return html`<${Meter} label=${`Waits of ${name}`} used=${share(medianMs)} held=${share(p95Ms) - share(medianMs)} limit=${1} text=${words} />`;
}

/** Spend against what it may come to: budgets of runs, and quotas of tenants and features. */
function Budgets({ overview: { budgets }, quotas }: { readonly overview: OverviewReport; readonly quotas: readonly QuotaReport[] | null }): VNode {
  return html`<section class="card" aria-labelledby="budgets"><h2 id="budgets">Budgets and quotas</h2>
    <dl class="ledger"><div><dt>Budgets of the runs started in this time</dt>
      <dd><${Meter} label="Budgets" used=${Number(budgets.usedUsd)} limit=${Number(budgets.limitUsd)} text=${`${usdText(budgets.usedUsd)} of ${usdText(budgets.limitUsd)}, with what is held`} /></dd></div></dl>
    ${quotas && html`<${Quotas} quotas=${quotas} />`}
  </section>`;
}

function Quotas({ quotas }: { readonly quotas: readonly QuotaReport[] }): VNode {
  return html`
    ${quotas.length === 0 && html`<p class="muted">No quota is set. <code>npx tollgate quotas set</code> sets one.</p>`}
    <dl class="ledger">${quotas.map(({ quotaId, tenant, feature, per, unit, limit, use }) => {
      const who = `${tenant === null ? 'all tenants' : tenant === '*' ? 'each tenant' : tenant}${feature === null ? '' : `, ${feature}`}, a ${per}`;
      const amount = (text: string) => (unit === 'usd' ? usdText(text) : `${Number(text).toLocaleString('en')} tokens`);
      const shown = use.length > 0 ? use : [{ settled: '0', held: '0', tenant: undefined }];
      return html`<div key=${quotaId}><dt><bdi>${plainText(who)}</bdi></dt><dd>${shown.map(
        (
          window,
          index,
        ) => html`<${Meter} key=${index} label=${plainText(window.tenant ?? who)} used=${Number(window.settled)} held=${Number(window.held)} limit=${Number(limit)}
          text=${`${window.tenant ? `${plainText(window.tenant)}: ` : ''}${amount(window.settled)} of ${amount(limit)}${Number(window.held) > 0 ? `, ${amount(window.held)} held` : ''}`} />`,
      )}</dd></div>`;
    })}</dl>`;
}
