import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import proto, { type temporal } from '@temporalio/proto';
import { TollgateError } from '../contracts/failures.ts';

const { History } = proto.temporal.api.history.v1;

export interface StoredHistory {
  readonly agentRunId: string;
  readonly history: temporal.api.history.v1.IHistory;
}

/**
 * The histories in a folder: `.bin` as `saveHistory` writes them, `.json` as `temporal workflow show --output json` does.
 * @throws TollgateError `invalidInput` where there is none, or one can't be read.
 */
export async function* historiesInFolder(folder: string): AsyncIterable<StoredHistory> {
  const files = namesIn(folder).filter((name) => /\.(bin|json)$/.test(name));
  if (files.length === 0)
    throw new TollgateError('invalidInput', `${folder} has no histories (.bin or .json). "tollgate replay --from-namespace --save <folder>" writes some.`);
  for (const name of files.sort()) yield { agentRunId: name.replace(/\.(bin|json)$/, ''), history: readHistory(join(folder, name)) };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new TollgateError('invalidInput', `The folder ${folder} can't be read: ${(error as Error).message}`);
  }
}

function readHistory(path: string): temporal.api.history.v1.IHistory {
  try {
    const bytes = readFileSync(path);
    const history = path.endsWith('.bin') ? History.decode(bytes) : historyFromJSON(JSON.parse(bytes.toString('utf8')));
    if (history.events?.length) return history;
  } catch (error) {
    throw new TollgateError('invalidInput', `${path} is no history: ${(error as Error).message}`);
  }
  throw new TollgateError('invalidInput', `${path} is no history: it has no events.`);
}

/** Writes a history so that `historiesInFolder` finds it. */
export function saveHistory(folder: string, { agentRunId, history }: StoredHistory): void {
  mkdirSync(folder, { recursive: true });
  const name = agentRunId.replace(/[^A-Za-z0-9._-]/g, '_');
  writeFileSync(join(folder, `${name}.bin`), History.encode(history).finish());
}

export interface RunningRuns {
  readonly taskQueue: string;
  /** Further conditions in Temporal's query language. */
  readonly query?: string;
  readonly limit: number;
}

/** The query for the runs that are going on. */
export function runningRunsQuery({ taskQueue, query }: RunningRuns): string {
  const running = `TaskQueue = '${taskQueue.replaceAll("'", "''")}' AND ExecutionStatus = 'Running'`;
  return query === undefined ? running : `${running} AND (${query})`;
}

/** The histories of the runs that are going on, newest first, at most `limit` of them. */
export async function* historiesInNamespace(client: Client, runs: RunningRuns): AsyncIterable<StoredHistory> {
  let left = runs.limit;
  for await (const { workflowId, runId } of client.workflow.list({ query: runningRunsQuery(runs) })) {
    if (left-- <= 0) return;
    try {
      yield { agentRunId: workflowId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() };
    } catch (error) {
      // It ended, and its time was over, after it was listed.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}
