import type { AgentClient, StartedRun } from './agent-client.ts';
import type { AttentionDoor } from './attention-door.ts';
import type { BatchAnswer, BatchDecision } from './decision-batch.ts';
import type { StoredTask } from './known-task.ts';
import type { MoneyDoor } from './money-door.ts';
import type { RunReader } from './run-reader.ts';
import type { StandingDoor } from './standing-door.ts';
import type { StartOptions } from './start-request.ts';
import type { UsageQuery, UsageView } from './usage-report.ts';

/**
 * All that a command or a route does with runs, whoever answers: Temporal and the store from this process, or a Tollgate
 * API elsewhere. Every error is a TollgateError.
 */
export interface RunsDoor
  extends RunReader,
    MoneyDoor,
    StandingDoor,
    AttentionDoor,
    Pick<
      AgentClient,
      'approve' | 'deny' | 'withdraw' | 'edit' | 'signDecision' | 'cancel' | 'describe' | 'addUserMessage' | 'feedback' | 'repair' | 'signRepair'
    > {
  /** Starts a run of a task by its name or its data, after checking everything that can be checked. */
  start(task: string | StoredTask, input: unknown, options?: StartOptions): Promise<StartedRun>;
  /** One decision over many gates; an answer for each, in the order asked. */
  decideBatch(batch: BatchDecision): Promise<readonly BatchAnswer[]>;
  /** What was used, by task, feature, tenant, model, prompt version or day. */
  usage(query?: UsageQuery): Promise<UsageView>;
}
