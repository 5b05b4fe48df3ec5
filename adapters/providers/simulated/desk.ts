import { openBackgroundResponses } from './background-responses.ts';
import { type Bill, type BillEntry, openBill } from './bill.ts';
import { type Campaign, type CampaignPlace, randomFault, randomLatencyMs } from './campaign.ts';
import { planReply } from './plan.ts';
import { chargeFor, type FindModel, NO_USAGE, type SimulatedModel, type SimulatedUsage } from './price-list.ts';
import { modelNotFound, refusalFor, unscripted, type WireError } from './refusal.ts';
import type { Reply } from './reply.ts';
import { finalResponse, type WireResponse } from './responses-reply.ts';
import type { Fault, Scenario } from './scenario.ts';
import { findScriptedTurn, type ScriptedAnswer, scriptedFault } from './script.ts';
import { digestOf } from './seeded-choice.ts';
import { isStreamFault, type StreamFault } from './stream.ts';
import { systemText, turnOf, userText, type WireRequest } from './wire-request.ts';

/** Who sent a request, for the bill. */
export interface Sender {
  readonly requestId: string;
  readonly clientRequestId: string | null;
}

/** What is to be done with a request. The bill has been written by then. */
export type Decision =
  | { readonly type: 'refuse'; readonly error: WireError }
  | { readonly type: 'hang' }
  | { readonly type: 'garbage'; readonly delayMs: number }
  | { readonly type: 'reply'; readonly reply: Reply; readonly delayMs: number; readonly isCut: boolean }
  /** `charge` as in StreamPlan: a stream that goes wrong costs what was generated. */
  | {
      readonly type: 'stream';
      readonly reply: Reply;
      readonly delayMs: number;
      readonly fault: StreamFault;
      readonly charge: (share: number | null) => void;
    }
  | { readonly type: 'accepted'; readonly response: WireResponse; readonly isCut: boolean };

export interface DeskOptions {
  readonly billFile: string;
  readonly scenarios: readonly Scenario[];
  /** Asked before the scenarios. */
  readonly script: (request: WireRequest) => ScriptedAnswer | null;
  readonly findModel: FindModel;
  readonly campaign: Campaign;
}

/** The provider's mind: decides what a request gets and writes the bill. Knows nothing of HTTP. */
export class Desk {
  readonly bill: Bill;
  readonly background: ReturnType<typeof openBackgroundResponses>;
  readonly #options: DeskOptions;
  readonly #tries = new Map<string, number>();
  /** Of streams under way, whose charge is not known yet. */
  readonly #streaming = new Set<BillEntry>();

  /** Opens the bill at `billFile` and the background responses beside it, `<billFile>.background`. */
  constructor(options: DeskOptions) {
    const { billFile, findModel } = options;
    this.#options = options;
    this.bill = openBill(billFile);
    this.background = openBackgroundResponses(`${billFile}.background`, this.bill, findModel);
    for (const entry of [...this.bill.find(), ...this.background.unbilled()]) this.#countTry(entry);
  }

  /** Decides and charges. @throws RefusedRequest where too many background responses are unfinished. */
  decide(request: WireRequest, sender: Sender): Decision {
    const { scenarios, script, findModel, campaign } = this.#options;
    const model = findModel(request.model);
    const scripted = script(request) ?? findScriptedTurn(scenarios, request);
    const { part } = scripted;
    const place = this.#placeOf(request, scripted.scenario);
    const entry = (usage: SimulatedUsage, nanoUsd: number, fault?: string): BillEntry => ({
      ...blankEntry(sender, request),
      ...place.onBill,
      ...usage,
      nanoUsd,
      ...(fault && { fault }),
    });
    if (!model) {
      this.#record(entry(NO_USAGE, 0, 'modelNotFound'));
      return { type: 'refuse', error: modelNotFound(request.model) };
    }
    if (!part) {
      this.#record(entry(NO_USAGE, 0, 'unscripted'));
      return { type: 'refuse', error: unscripted(scripted.why) };
    }
    const fault = scriptedFault(part, place.onDice.attempt) ?? randomFault(campaign, place.onDice, Date.now());
    const error = refusalFor(fault, request);
    if (error) {
      this.#record(entry(NO_USAGE, 0, fault?.type));
      return { type: 'refuse', error };
    }
    const { onBill } = place;
    const reply = planReply({
      request,
      model,
      part,
      fault,
      digest: digestOf(onBill.scenario, onBill.conversation, onBill.turn, request.model, onBill.attempt),
    });
    const isFree = fault?.type === 'failedResponse' || (fault?.type === 'hang' && !fault.billed);
    const charge = isFree ? entry(NO_USAGE, 0, fault.type) : entry(reply.usage, chargeFor(model, reply.usage), fault?.type);
    const delayMs = randomLatencyMs(campaign, place.onDice) + (fault?.type === 'slow' ? fault.delayMs : 0);
    if (request.stream && isStreamFault(fault)) return { type: 'stream', reply, delayMs, fault, charge: this.#openCharge(charge, model) };
    return request.background && fault?.type !== 'malformed'
      ? this.#accept(request, reply, charge, delayMs, fault)
      : this.#serve(reply, charge, delayMs, fault);
  }

  /** Notes a request that broke a rule, so that it is known here and known to have cost nothing. */
  recordRefused(sender: Sender, api: WireRequest['api'], request: WireRequest | null): void {
    this.bill.add({ ...blankEntry(sender, request), api, fault: 'badRequest' });
  }

  /** Work under way, each with the charge for the whole of it. */
  unbilled(): BillEntry[] {
    return [...this.background.unbilled(), ...this.#streaming];
  }

  /** A charge that waits for what will have been generated. Reasoning comes before the first piece. */
  #openCharge(whole: BillEntry, model: SimulatedModel): (share: number | null) => void {
    this.#countTry(whole);
    this.#streaming.add(whole);
    return (share) => {
      if (!this.#streaming.has(whole)) return;
      const spoken = whole.outputTokens - whole.reasoningTokens;
      const usage = share === null ? NO_USAGE : { ...whole, outputTokens: whole.reasoningTokens + Math.ceil(spoken * share) };
      const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = usage;
      this.bill.add({ ...whole, inputTokens, cachedTokens, outputTokens, reasoningTokens, nanoUsd: chargeFor(model, usage), at: new Date().toISOString() });
      this.#streaming.delete(whole);
    };
  }

  #serve(reply: Reply, charge: BillEntry, delayMs: number, fault: Fault | null): Decision {
    this.#record(charge);
    if (fault?.type === 'hang') return { type: 'hang' };
    if (fault?.type === 'malformed') return { type: 'garbage', delayMs };
    return { type: 'reply', reply, delayMs, isCut: fault?.type === 'cutAfterWork' };
  }

  #accept(request: WireRequest, reply: Reply, charge: BillEntry, delayMs: number, fault: Fault | null): Decision {
    const acceptedAtMs = Date.now();
    const readyAtMs = fault?.type === 'hang' ? null : acceptedAtMs + delayMs;
    const response = finalResponse(reply, request, acceptedAtMs, readyAtMs);
    const accepted = this.background.accept({ type: 'accepted', response, entry: { ...charge, responseId: response.id }, acceptedAtMs, readyAtMs });
    this.#countTry(charge);
    return { type: 'accepted', response: accepted, isCut: fault?.type === 'cutAfterWork' };
  }

  #record(entry: BillEntry): void {
    this.bill.add(entry);
    this.#countTry(entry);
  }

  #placeOf(
    request: WireRequest,
    scenario: string,
  ): { readonly onBill: Pick<BillEntry, 'scenario' | 'conversation' | 'turn' | 'attempt'>; readonly onDice: CampaignPlace } {
    const turn = turnOf(request);
    const contentDigest = digestOf(systemText(request), userText(request, 'first'));
    const conversation = request.metadata.tollgate_run ?? contentDigest.slice(0, 32);
    const attempt = (this.#tries.get(tryKey({ scenario, conversation, turn, model: request.model })) ?? 0) + 1;
    return { onBill: { scenario, conversation, turn, attempt }, onDice: { contentDigest, turn, model: request.model, attempt } };
  }

  #countTry(entry: BillEntry): void {
    const key = tryKey(entry);
    this.#tries.set(key, (this.#tries.get(key) ?? 0) + 1);
  }
}

function tryKey(entry: Pick<BillEntry, 'scenario' | 'conversation' | 'turn' | 'model'>): string {
  return JSON.stringify([entry.scenario, entry.conversation, entry.turn, entry.model]);
}

function blankEntry(sender: Sender, request: WireRequest | null): BillEntry {
  const run = request?.metadata.tollgate_run;
  return {
    at: new Date().toISOString(),
    requestId: sender.requestId,
    clientRequestId: sender.clientRequestId ?? request?.metadata.client_request_id ?? null,
    conversation: run ?? '',
    ...(run !== undefined && { tollgateRun: run }),
    api: request?.api ?? 'chat',
    model: request?.model ?? '',
    scenario: '',
    turn: 0,
    attempt: 0,
    ...NO_USAGE,
    nanoUsd: 0,
  };
}
