import type { RunKey } from '../../contracts/ids.ts';
import type { StopRecord } from './stop.ts';

export interface StopStore {
  /**
   * Throws a switch; the one of the same scope that is there is replaced, and audited with it. Once it has answered, no
   * action begins that the switch holds back: those that were about to have begun before.
   */
  throwStop(stop: StopRecord): Promise<void>;
  /** Lifts it, audited. Null where there is no such stop. The last one counts: a resume that somebody forged is no hindrance to a real one. */
  liftStop(stopId: string, resume: NonNullable<StopRecord['resume']>): Promise<StopRecord | null>;
  /** Every switch, lifted ones too, newest first. */
  listStops(limit: number): Promise<readonly StopRecord[]>;
  /** Those, lifted ones too, whose scope fits a run, and a tool where one is named. */
  stopsFor(runKey: RunKey, tool: string | null): Promise<readonly StopRecord[]>;
}
