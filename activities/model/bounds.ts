import type { CallModelInput } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { ModelRequest, TranscriptMessage } from '../../contracts/model.ts';
import type { CandidateSnapshot, TaskSnapshot } from '../../contracts/task.ts';
import { modelRequest } from '../../domain/agent-run/model-request.ts';
import { ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { inputTokensUpperBound, upperBoundOf } from '../../domain/budget/price.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { ActivityPorts } from '../ports.ts';

/** The most that a call may take. */
export interface Amounts {
  readonly nanoUsd: NanoUsd;
  /** Of input and output together. */
  readonly tokens: number;
}

const NOTHING: Amounts = { nanoUsd: ZERO_NANO_USD, tokens: 0 };

export function boundOf({ price }: CandidateSnapshot, endpoint: ModelEndpoint, request: ModelRequest): Amounts {
  const inputTokens = inputTokensUpperBound(endpoint.bodyBytes(request));
  return { nanoUsd: upperBoundOf(price, inputTokens, request.maxOutputTokens), tokens: inputTokens + request.maxOutputTokens };
}

/**
 * What a last answer from the same place may take on the cheapest model; kept free so that it can still be given. Of the last
 * answer itself only the cheapest model may take that: whatever becomes of the others, it still can be asked.
 */
export function setAside(
  { catalogue }: ActivityPorts,
  snapshot: TaskSnapshot,
  messages: readonly TranscriptMessage[],
  { mode, candidateIndex }: CallModelInput,
): Amounts {
  if (snapshot.task.onBudgetExhausted !== 'wrapUp') return NOTHING;
  let cheapest: { readonly index: number; readonly bound: Amounts } | null = null;
  for (const [index, candidate] of snapshot.candidates.entries()) {
    const endpoint = catalogue.endpoint(candidate.endpoint);
    if (!endpoint) continue;
    const bound = boundOf(candidate, endpoint, modelRequest(snapshot, candidate, messages, 'wrapUp'));
    if (!cheapest || bound.nanoUsd < cheapest.bound.nanoUsd) cheapest = { index, bound };
  }
  if (!cheapest || (mode === 'wrapUp' && cheapest.index === candidateIndex)) return NOTHING;
  return cheapest.bound;
}
