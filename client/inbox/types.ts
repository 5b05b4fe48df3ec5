import type { Json } from './format.ts';

export type { GateContext, InboxReport, WaitingGate } from '../inbox-report.ts';
export type { Standing } from '../gate-standing.ts';
export type { GateReport } from '../gate-report.ts';
export type { OverviewReport, SpendReport } from '../overview-report.ts';
export type { QuotaReport } from '../quota-report.ts';
export type { RunReport, RunSummary } from '../run-report.ts';
export type { TimelineReport, TimelineSpan } from '../timeline-report.ts';

/** Who looks at the page. */
export interface Me {
  readonly name: string;
  readonly displayName: string;
  readonly roles: readonly string[];
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly signedIn: boolean;
  readonly csrfToken?: string;
  readonly sessionEndsAt?: string;
}

/** What the API answers where it refuses something (RFC 9457). */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly failureType?: string;
  readonly reason?: string;
  readonly gateStatus?: string | null;
  /** Where a person can log in, if anywhere. */
  readonly login?: string;
}

/** What became of a decision. `undecided`: it may have arrived, or arrive still. */
export type Decided =
  | { readonly type: 'accepted'; readonly gateStatus: string; readonly message: string }
  | { readonly type: 'undecided'; readonly message: string }
  | { readonly type: 'refused'; readonly problem: Problem };

export type Decision =
  | { readonly verdict: 'approve'; readonly actionDigest: string; readonly comment?: string }
  | { readonly verdict: 'deny'; readonly actionDigest: string; readonly reason: string }
  | { readonly verdict: 'edit'; readonly actionDigest: string; readonly arguments: { readonly [key: string]: Json }; readonly comment?: string }
  | { readonly verdict: 'withdraw'; readonly actionDigest: string };
