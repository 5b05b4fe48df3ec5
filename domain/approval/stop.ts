import type { Resume, SignedStatement, Stop, StopScope } from '../../contracts/statement.ts';

/** A stop switch as stored: one row for each scope (see stopKey), thrown or lifted again. */
export interface StopRecord {
  readonly stopId: string;
  readonly scope: StopScope;
  readonly models: boolean;
  readonly reason: string;
  readonly actor: string;
  readonly signed: SignedStatement;
  readonly thrownAtMs: number;
  /** What lifted it. It counts only where its signature does: a row that somebody changed lifts nothing. */
  readonly resume: { readonly signed: SignedStatement; readonly actor: string; readonly reason: string; readonly atMs: number } | null;
}

/** What is about to be done: an action of a tool, or, without one, a model call. */
export interface StoppableWork {
  readonly tool: string | null;
  readonly task: string;
  readonly tenant: string;
}

/** The first stop that holds this work back, null where none does. A stop needs no signature to hold; being lifted does. */
export function stopOver(stops: readonly StopRecord[], work: StoppableWork, isLifted: (stop: StopRecord) => boolean): StopRecord | null {
  return stops.find((stop) => covers(stop, work) && !isLifted(stop)) ?? null;
}

function covers({ scope, models }: StopRecord, { tool, task, tenant }: StoppableWork): boolean {
  if (tool === null && (!models || scope.tool !== null)) return false;
  return (
    (scope.tool === null || tool === null || scope.tool === tool) &&
    (scope.task === null || scope.task === task) &&
    (scope.tenant === null || scope.tenant === tenant)
  );
}

/** Whether a statement that was verified lifts exactly this stop. */
export function lifts(resume: Resume, { stopId }: Pick<StopRecord, 'stopId'>): boolean {
  return resume.stopId === stopId;
}

/** The row of a stop that was just thrown. */
export function toStopRecord(stop: Stop, signed: SignedStatement, thrownAtMs: number): StopRecord {
  const { stopId, scope, models, reason, actor } = stop;
  return { stopId, scope, models, reason, actor, signed, thrownAtMs, resume: null };
}

/** For people: what is stopped, by whom and why. */
export function describeStop({ scope, models, reason, actor, thrownAtMs }: StopRecord): string {
  return `Stopped by ${actor} at ${new Date(thrownAtMs).toISOString()} (${describeScope(scope)}${models ? ', model calls too' : ''}): ${reason}`;
}

export function describeScope({ tool, task, tenant }: StopScope): string {
  const parts = [...(tool === null ? [] : [`tool ${tool}`]), ...(task === null ? [] : [`task ${task}`]), ...(tenant === null ? [] : [`tenant ${tenant}`])];
  return parts.length === 0 ? 'everything' : parts.join(', ');
}

/** Names a switch in the store: there is one for each scope, with model calls and without. */
export function stopKey({ scope: { tool, task, tenant }, models }: Pick<StopRecord, 'scope' | 'models'>): string {
  return JSON.stringify([tool, task, tenant, models]);
}
