import { describe, expect, test } from 'vitest';
import type { NanoUsd, PriceTable } from '../../contracts/budget.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { ModelReply, TokenUsage, TransportFault } from '../../contracts/model.ts';
import { applyLedgerEvent, type LedgerEntry } from '../../domain/budget/ledger.ts';
import { OUTCOMES, outcomeKindOf } from '../../domain/budget/outcome.ts';
import { lostReport, notSentReport, reportOf } from '../../domain/budget/outcome-report.ts';
import { costOf } from '../../domain/budget/cost.ts';
import type { ProviderResult } from '../../domain/model/provider-port.ts';
import type { OutcomeReport } from '../../domain/store/port.ts';

const RESERVED = 1_000_000 as NanoUsd;
const price: PriceTable = { model: 'm', source: 'test', input: { picoUsdPerToken: 2_000_000 }, output: { picoUsdPerToken: 9_000_000 } };
const usage: TokenUsage = { inputTokens: 100, cachedInputTokens: 10, cacheWriteTokens: 0, outputTokens: 40, reasoningTokens: 5 };
const reply = (change: Partial<ModelReply> = {}): ModelReply => ({
  text: 'Yes.',
  refusal: null,
  toolCalls: [],
  finishReason: 'stop',
  responseId: null,
  responseModel: null,
  serviceTier: null,
  ...change,
});

/** One thing that may happen to a call, and the least and the most that the provider may then have billed. */
interface Happening {
  readonly name: string;
  readonly report: OutcomeReport;
  readonly billed: readonly [least: number, most: number];
}

const COST = costOf(price, usage) as NanoUsd;
const counted = [COST, COST] as const;
const anything = [0, RESERVED] as const;
const nothing = [0, 0] as const;

/** Transport faults of which it is certain that nothing had been sent. */
const NEVER_SENT: readonly TransportFault[] = ['ECONNREFUSED', 'ENOTFOUND', 'TLS'];
const TRANSPORTS: readonly (TransportFault | undefined)[] = [undefined, 'timeout', 'ECONNRESET', ...NEVER_SENT];
const FREE_STATUS = [400, 401, 402, 403, 404, 405, 413, 422, 429];
const OPEN_STATUS = [408, 409, 425, 499, 500, 502, 503, 504, 520, 522, 524, 529];
/** Words in which a provider refuses, and words that refuse nothing. */
const REFUSALS = ['insufficient_quota: You exceeded your current quota', "This model's maximum context length is 8192 tokens", 'Incorrect API key provided'];
const OTHER_WORDS = ['', 'The server had an error', '<html>Bad gateway</html>', 'connection reset by peer'];
/** A page of a proxy that waited too long says nothing of the provider, whatever words are on it. */
const LOST_SIGHT = [408, 499, 502, 504, 520, 522, 524];

function billOf(
  transport: TransportFault | undefined,
  status: number | undefined,
  words: string,
  begun: boolean,
  isCounted: boolean,
): readonly [number, number] {
  if (isCounted) return counted;
  if (begun) return anything;
  if (status === undefined && transport !== undefined) return NEVER_SENT.includes(transport) ? nothing : anything;
  if (status !== undefined && LOST_SIGHT.includes(status)) return anything;
  if (REFUSALS.includes(words)) return nothing;
  return status !== undefined && FREE_STATUS.includes(status) ? nothing : anything;
}

const results = (name: string, result: ProviderResult, billed: readonly [number, number]): Happening => ({ name, billed, report: reportOf(result, price, 0) });

function failures(): Happening[] {
  const happenings: Happening[] = [];
  for (const transport of TRANSPORTS)
    for (const status of [undefined, 200, ...FREE_STATUS, ...OPEN_STATUS])
      for (const words of [...REFUSALS, ...OTHER_WORDS])
        for (const begun of [false, true])
          for (const isCounted of [false, true]) {
            if (transport === undefined && status === undefined && words === '') continue;
            const body: JsonValue = { error: { message: words } };
            const signal = {
              ...(transport === undefined ? {} : { transport }),
              ...(status === undefined ? {} : { status }),
              ...(words === '' ? {} : { body }),
            };
            const result: ProviderResult = { type: 'failure', signal, begun, message: 'x', ...(isCounted ? { usage } : {}) };
            happenings.push(results(JSON.stringify({ signal, begun, isCounted }), result, billOf(transport, status, words, begun, isCounted)));
          }
  return happenings;
}

function answers(): Happening[] {
  const replies = [
    reply(),
    reply({ refusal: 'No.' }),
    reply({ text: null }),
    ...(['length', 'contentFilter', 'other'] as const).map((finishReason) => reply({ finishReason })),
  ];
  const happenings = [usage, null].flatMap((seen) => [
    ...replies.map((each) => results(`reply ${JSON.stringify({ each, seen })}`, { type: 'reply', reply: each, usage: seen }, seen ? counted : anything)),
    results(`unusable ${JSON.stringify(seen)}`, { type: 'unusable', message: 'no choices', usage: seen }, seen ? counted : anything),
  ]);
  return happenings;
}

/** Cancellation: before the call it is not sent; in the middle of it the wait is given up, with some or nothing of the reply there. */
const cancellations: readonly Happening[] = [
  { name: 'cancelled before', report: notSentReport('too late'), billed: nothing },
  ...[false, true].map((begun) =>
    results(`cancelled in the middle ${begun}`, { type: 'failure', signal: { transport: 'timeout' }, begun, message: 'given up' }, anything),
  ),
  { name: 'worker died', report: lostReport('dead'), billed: anything },
];

const HAPPENINGS = [...failures(), ...answers(), ...cancellations];

function entryAfter({ report }: Happening): LedgerEntry {
  const held: LedgerEntry = { status: 'held', reservedNanoUsd: RESERVED, settledNanoUsd: null };
  if (!report.money) return held;
  const transition = applyLedgerEvent(held, report.money);
  return transition.type === 'changed' ? transition.entry : held;
}

describe(`of ${HAPPENINGS.length} things that may happen to a call`, () => {
  test('none releases money that the provider may have billed', () => {
    const released = HAPPENINGS.filter((each) => entryAfter(each).status === 'released');
    expect(released.length).toBeGreaterThan(0);
    expect(released.filter(({ billed: [, most] }) => most > 0).map(({ name }) => name)).toEqual([]);
  });

  test('none settles below the bill, or above it', () => {
    const settled = HAPPENINGS.filter((each) => entryAfter(each).status === 'settled');
    expect(settled.length).toBeGreaterThan(0);
    expect(
      settled.filter(({ billed: [least, most], ...each }) => least !== most || entryAfter({ ...each, billed: [least, most] }).settledNanoUsd !== most),
    ).toEqual([]);
  });

  test('all keep the bill between what is settled and what is settled or held', () => {
    for (const happening of HAPPENINGS) {
      const { status, settledNanoUsd } = entryAfter(happening);
      const promised = status === 'held' ? RESERVED : (settledNanoUsd ?? 0);
      expect(settledNanoUsd ?? 0, happening.name).toBeLessThanOrEqual(happening.billed[0]);
      expect(promised, happening.name).toBeGreaterThanOrEqual(happening.billed[1]);
    }
  });

  test('each tells the workflow of the charge what the ledger says of it', () => {
    for (const happening of HAPPENINGS) {
      const { outcome } = happening.report;
      if (outcome.type !== 'failed') continue;
      const { status, settledNanoUsd } = entryAfter(happening);
      const said = status === 'held' ? 'unknown' : status === 'settled' && settledNanoUsd === COST ? 'yes' : 'no';
      expect(outcome.verdict.billed, happening.name).toBe(said);
    }
  });

  test('where nothing was sent, the same model may be tried again', () => {
    for (const { report, name } of HAPPENINGS)
      if (report.money?.type === 'release') expect(report.outcome, name).toMatchObject({ type: 'failed', verdict: { retrySameModel: true } });
  });
});

test('a usable reply without usage is given to the run, and its money stays held', () => {
  const report = reportOf({ type: 'reply', reply: reply(), usage: null }, price, 0);
  expect(report).toEqual({ outcome: { type: 'reply' }, reply: reply() });
});

test('a count that has no price keeps the money held: an unknown service tier, more cached tokens than input', () => {
  for (const [serviceTier, seen] of [
    ['scale', usage],
    ['default', { ...usage, cachedInputTokens: 101 }],
  ] as const) {
    const report = reportOf({ type: 'reply', reply: reply({ serviceTier }), usage: seen }, price, 0);
    expect(report).toEqual({ outcome: { type: 'reply' }, reply: reply({ serviceTier }), usage: seen });
  }
});

test("the provider's own id of the request is kept, whatever came of it", () => {
  const providerRequestId = 'req_1';
  for (const result of [
    { type: 'reply', reply: reply(), usage, providerRequestId },
    { type: 'unusable', message: 'x', usage: null, providerRequestId },
    { type: 'failure', signal: { status: 500 }, message: 'x', providerRequestId },
  ] as const)
    expect(reportOf(result, price, 0)).toMatchObject({ providerRequestId });
});

test('evidence of work outweighs whatever else is said', () => {
  for (const wasSent of [true, false])
    for (const refusalBilled of ['no', 'yes', 'unknown'] as const) {
      expect(outcomeKindOf({ wasSent, arrived: 'part', isCounted: false, refusalBilled })).toBe('partial');
      expect(outcomeKindOf({ wasSent, arrived: 'whole', isCounted: false, refusalBilled })).toBe('uncounted');
    }
});

test('money goes back only where nothing was sent, and nothing is charged only where it was refused', () => {
  const kindsWith = (money: string) => Object.entries(OUTCOMES).flatMap(([kind, rule]) => (rule.money === money ? [kind] : []));
  expect([kindsWith('release'), kindsWith('settleZero'), kindsWith('settleUsage')]).toEqual([['notSent'], ['refusedFree'], ['complete']]);
});
