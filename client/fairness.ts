import { createHash } from 'node:crypto';
import type { WorkflowOptions } from '@temporalio/client';

/** Temporal takes no longer fairness key. */
const MAX_KEY_BYTES = 64;
const DIGEST_CHARACTERS = 16;

/**
 * What a run is started with so that Temporal shares its workers out between tenants: each tenant's runs, with their
 * activities and children, are dispatched in proportion to its weight where there is a backlog. A server without fairness
 * ignores it. Weights that are not named are 1.
 */
export function fairShareOf(tenant: string, weights: Readonly<Record<string, number>> = {}): NonNullable<WorkflowOptions['priority']> {
  const weight = Object.hasOwn(weights, tenant) ? weights[tenant] : undefined;
  return { fairnessKey: fairnessKey(tenant), ...(weight === undefined ? {} : { fairnessWeight: weight }) };
}

/** The tenant's name, or what stands for a longer one. */
function fairnessKey(tenant: string): string {
  if (Buffer.byteLength(tenant) <= MAX_KEY_BYTES) return tenant;
  const digest = createHash('sha256').update(tenant).digest('hex').slice(0, DIGEST_CHARACTERS);
  const room = MAX_KEY_BYTES - DIGEST_CHARACTERS - 1;
  return `${Buffer.from(tenant)
    .subarray(0, room)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}~${digest}`;
}
