import type { CallModelInput } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { ModelRequest, TranscriptMessage } from '../../contracts/model.ts';
import type { CandidateSnapshot, TaskSnapshot } from '../../contracts/task.ts';
import { modelRequest } from '../../domain/agent-run/model-request.ts';
import { raisedBound } from '../../domain/budget/bound-factor.ts';
import { byteBound } from '../../domain/budget/input-bound.ts';
import { nanoUsd, ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { upperBoundOf } from '../../domain/budget/price.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { ActivityPorts } from '../ports.ts';

interface PricedCall {
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

/** What a last answer from the same place may cost, on the cheapest model; kept free so that it can still be given. */
export async function setAside(
  ports: ActivityPorts,
  snapshot: TaskSnapshot,
  messages: readonly TranscriptMessage[],
  { mode }: CallModelInput,
  boundOf: BoundOf,
): Promise<NanoUsd> {
  if (mode === 'wrapUp' || snapshot.task.onBudgetExhausted !== 'wrapUp') return ZERO_NANO_USD;
  const bounds: number[] = [];
  for (const candidate of snapshot.candidates) {
    const endpoint = ports.catalogue.endpoint(candidate.endpoint);
    if (!endpoint) continue;
    const call = { candidate, endpoint, request: modelRequest(snapshot, candidate, messages, 'wrapUp') };
    bounds.push((await boundOf(ports, call)) ?? (await boundByBytes(ports, call)));
  }
  return bounds.length === 0 ? ZERO_NANO_USD : nanoUsd(Math.min(...bounds));
}
