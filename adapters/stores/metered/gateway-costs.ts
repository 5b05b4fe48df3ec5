import type { PriceTable } from '../../../contracts/budget.ts';
import type { TaskSnapshot } from '../../../contracts/task.ts';
import { gatewayCostOf } from '../../../domain/budget/gateway-cost.ts';
import type { AttemptRecord, Store } from '../../../domain/store/port.ts';
import type { Labels, Metrics } from '../../../telemetry/metrics.ts';
import { METRIC, METRIC_LABEL, TOLLGATE } from '../../../telemetry/names.ts';
import { Remembered } from './remembered.ts';

const REMEMBERED_SNAPSHOTS = 100;

type Candidates = Pick<TaskSnapshot, 'candidates'>['candidates'];

/** Counts how often a gateway says that a call cost something else than we settled it at, and by how much. */
export class GatewayCosts {
  readonly #store: Store;
  readonly #metrics: Metrics;
  readonly #candidates = new Remembered<Candidates>(REMEMBERED_SNAPSHOTS);

  constructor(store: Store, metrics: Metrics) {
    this.#store = store;
    this.#metrics = metrics;
  }

  /** Of an attempt that was just settled. Looks nothing up where no gateway said anything. */
  async count(attempt: AttemptRecord, labels: Labels): Promise<void> {
    const { usage, money, endpoint } = attempt;
    if (usage?.reportedNanoUsd === undefined) return;
    const cost = gatewayCostOf(await this.#priceOf(attempt), usage, money.settledNanoUsd);
    if (!cost) return;
    const at = { ...labels, [TOLLGATE.endpoint]: endpoint };
    this.#metrics.count(METRIC.gatewayCostsCompared, 1, at);
    if (!cost.isDifferent) return;
    const towards = { ...at, [METRIC_LABEL.direction]: cost.differenceNanoUsd > 0 ? 'more' : 'less' };
    this.#metrics.count(METRIC.gatewayCostDifferences, 1, towards);
    this.#metrics.count(METRIC.gatewayCostDifferenceUsd, Math.abs(cost.differenceNanoUsd) / 1e9, towards);
  }

  /** The price that the run pinned; null where its snapshot is gone. */
  async #priceOf({ runKey, model, endpoint }: AttemptRecord): Promise<PriceTable | null> {
    const run = await this.#store.getRun(runKey);
    const candidates = run ? await this.#candidatesOf(run.snapshotDigest) : [];
    return candidates.find((candidate) => candidate.model === model && candidate.endpoint === endpoint)?.price ?? null;
  }

  async #candidatesOf(digest: Parameters<Store['getContent']>[0]): Promise<Candidates> {
    const known = this.#candidates.get(digest);
    if (known) return known;
    const text = await this.#store.getContent(digest);
    if (text === null) return [];
    const { candidates } = JSON.parse(text) as TaskSnapshot;
    this.#candidates.set(digest, candidates);
    return candidates;
  }
}
