import type { CallModelInput } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { ModelRequest, TranscriptMessage } from '../../contracts/model.ts';
import type { CandidateSnapshot, TaskSnapshot } from '../../contracts/task.ts';
import { modelRequest } from '../../domain/agent-run/model-request.ts';
import { raisedBound } from '../../domain/budget/bound-factor.ts';
import { byteBound } from '../../domain/budget/input-bound.ts';
import { ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { upperBoundOf } from '../../domain/budget/price.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { ActivityPorts } from '../ports.ts';

/** The most that a call may take. */
export interface Amounts {
  readonly nanoUsd: NanoUsd;
  /** Of input and output together. */
  readonly tokens: number;
}

const NOTHING: Amounts = { nanoUsd: ZERO_NANO_USD, tokens: 0 };

interface PricedCall {
  readonly candidate: CandidateSnapshot;
  readonly endpoint: ModelEndpoint;
  readonly request: ModelRequest;
}

/** The most that a call may take; null where it can't be bounded in this way. */
export type BoundOf = (ports: ActivityPorts, call: PricedCall) => Promise<Amounts | null>;

/** A token for every byte of the body: nothing is counted, and the bound is several times what most calls take. */
export async function boundByBytes(ports: ActivityPorts, call: PricedCall): Promise<Amounts> {
  return await bound(ports, call, byteBound(call.endpoint.bodyBytes(call.request), call.request));
}

/** By the model's own tokenizer, where there is one. */
export async function boundByTokens(ports: ActivityPorts, call: PricedCall): Promise<Amounts | null> {
  const inputTokens = (await call.endpoint.tokenBound?.(call.request)) ?? null;
  return inputTokens === null ? null : await bound(ports, call, inputTokens);
}

/** With what overruns of the model at this endpoint have taught, which is kept in money. */
async function bound({ store }: ActivityPorts, { candidate, request }: PricedCall, inputTokens: number): Promise<Amounts> {
  const perMille = await store.boundPerMille(candidate.model, candidate.endpoint);
  return {
    nanoUsd: raisedBound(upperBoundOf(candidate.price, inputTokens, request.maxOutputTokens), perMille),
    tokens: inputTokens + request.maxOutputTokens,
  };
}

/**
 * What a last answer from the same place may take on the cheapest model; kept free so that it can still be given. Of the last
 * answer itself only the cheapest model may take that: whatever becomes of the others, it still can be asked.
 */
export async function setAside(
  ports: ActivityPorts,
  snapshot: TaskSnapshot,
  messages: readonly TranscriptMessage[],
  { mode, candidateIndex }: CallModelInput,
  boundOf: BoundOf,
): Promise<Amounts> {
  if (snapshot.task.onBudgetExhausted !== 'wrapUp') return NOTHING;
  let cheapest: { readonly index: number; readonly bound: Amounts } | null = null;
  for (const [index, candidate] of snapshot.candidates.entries()) {
    const endpoint = ports.catalogue.endpoint(candidate.endpoint);
    if (!endpoint) continue;
    const call = { candidate, endpoint, request: modelRequest(snapshot, candidate, messages, 'wrapUp') };
    const bound = (await boundOf(ports, call)) ?? (await boundByBytes(ports, call));
    if (!cheapest || bound.nanoUsd < cheapest.bound.nanoUsd) cheapest = { index, bound };
  }
  if (!cheapest || (mode === 'wrapUp' && cheapest.index === candidateIndex)) return NOTHING;
  return cheapest.bound;
}
