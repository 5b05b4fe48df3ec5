import type { NanoUsd } from '../../contracts/budget.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import type { CandidateSnapshot } from '../../contracts/task.ts';
import { raisedBound } from '../../domain/budget/bound-factor.ts';
import { byteBound } from '../../domain/budget/input-bound.ts';
import { upperBoundOf } from '../../domain/budget/price.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { ActivityPorts } from '../ports.ts';

export interface PricedCall {
  readonly candidate: CandidateSnapshot;
  readonly endpoint: ModelEndpoint;
  readonly request: ModelRequest;
}

/** The most that a call may cost; null where it can't be bounded in this way. */
export type BoundOf = (ports: ActivityPorts, call: PricedCall) => Promise<NanoUsd | null>;

/** A token for every byte of the body: nothing is counted, and the bound is several times what most calls cost. */
export async function boundByBytes(ports: ActivityPorts, call: PricedCall): Promise<NanoUsd> {
  return await bound(ports, call, byteBound(call.endpoint.bodyBytes(call.request), call.request));
}

/** By the model's own tokenizer, where there is one. */
export async function boundByTokens(ports: ActivityPorts, call: PricedCall): Promise<NanoUsd | null> {
  const inputTokens = (await call.endpoint.tokenBound?.(call.request)) ?? null;
  return inputTokens === null ? null : await bound(ports, call, inputTokens);
}

/** With what overruns of the model at this endpoint have taught. */
async function bound({ store }: ActivityPorts, { candidate, request }: PricedCall, inputTokens: number): Promise<NanoUsd> {
  const perMille = await store.boundPerMille(candidate.model, candidate.endpoint);
  return raisedBound(upperBoundOf(candidate.price, inputTokens, request.maxOutputTokens), perMille);
}
