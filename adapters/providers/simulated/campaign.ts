import type { Fault, FaultType } from './scenario.ts';
import { fractionOf } from './seeded-choice.ts';

/** Random faults and latency, the same ones for the same seed. */
export interface Campaign {
  readonly seed: number;
  /** Share of requests that meet a fault, 0 to 1. */
  readonly faultRate: number;
  readonly faultTypes: readonly FaultType[];
  /** Least and most time of work, in milliseconds. */
  readonly latencyMs: readonly [least: number, most: number];
  /** Times in which every request is refused with 429 and 5xx, by the clock; null: none. */
  readonly bursts: { readonly lengthMs: number; readonly everyMs: number } | null;
}

/** What a request is to the dice: no identity that differs from one campaign to the next. */
export interface CampaignPlace {
  readonly contentDigest: string;
  readonly turn: number;
  readonly model: string;
  readonly attempt: number;
}

export const DEFAULT_CAMPAIGN: Campaign = {
  seed: 1,
  faultRate: 0,
  faultTypes: ['rateLimit', 'serverError', 'overloaded', 'cutAfterWork', 'malformed', 'slow'],
  latencyMs: [0, 0],
  bursts: null,
};

const RANDOM_RETRY_AFTER_MS = 50;
const RANDOM_SLOW_MS = 1_000;

const BURST_FAULTS = ['rateLimit', 'rateLimit', 'serverError', 'overloaded'] as const;

/** The fault that chance has for this place, or null; in a burst always a refusal. */
export function randomFault(campaign: Campaign, place: CampaignPlace, nowMs: number): Fault | null {
  if (campaign.bursts && nowMs % campaign.bursts.everyMs < campaign.bursts.lengthMs) {
    const type = BURST_FAULTS[Math.floor(roll(campaign, place, 'burst') * BURST_FAULTS.length)] ?? 'rateLimit';
    return type === 'serverError' ? { type } : { type, retryAfterMs: RANDOM_RETRY_AFTER_MS };
  }
  if (roll(campaign, place, 'happens') >= campaign.faultRate) return null;
  const type = campaign.faultTypes[Math.floor(roll(campaign, place, 'type') * campaign.faultTypes.length)];
  if (type === undefined) return null;
  if (type === 'hang') return { type, billed: roll(campaign, place, 'billed') < 0.5 };
  if (type === 'slow') return { type, delayMs: RANDOM_SLOW_MS };
  return type === 'rateLimit' ? { type, retryAfterMs: RANDOM_RETRY_AFTER_MS } : { type };
}

/** How long the work takes at this place, in whole milliseconds. */
export function randomLatencyMs(campaign: Campaign, place: CampaignPlace): number {
  const [least, most] = campaign.latencyMs;
  return Math.round(least + roll(campaign, place, 'latency') * (most - least));
}

function roll(campaign: Campaign, place: CampaignPlace, purpose: string): number {
  return fractionOf(campaign.seed, place.contentDigest, place.turn, place.model, place.attempt, purpose);
}
