import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';

/** The place in a list after a run, as it travels. */
export function cursorOf({ agentRunId, firstExecutionRunId }: { readonly agentRunId: string; readonly firstExecutionRunId: string }): string {
  return Buffer.from(JSON.stringify([agentRunId, firstExecutionRunId]), 'utf8').toString('base64url');
}

/** @throws TollgateError `invalidInput` for anything that no `Link` header ever said. */
export function readCursor(cursor: string): RunKey {
  try {
    const [agentRunId, firstExecutionRunId, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    if (typeof agentRunId === 'string' && typeof firstExecutionRunId === 'string' && rest.length === 0)
      return { agentRunId: agentRunId as AgentRunId, firstExecutionRunId };
  } catch {}
  throw new TollgateError('invalidInput', 'cursor: it is none that a list gave. Take it from the "next" link of the page before.');
}
