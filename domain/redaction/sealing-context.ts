// What a sealed value is bound to, so that it opens in its own place alone.

/** Beside a start: the client does not know the run's first execution yet. */
export const startContext = (agentRunId: string): string => `start ${agentRunId}`;

export const messageContext = (agentRunId: string, messageId: string): string => `message ${agentRunId} ${messageId}`;

/** Beside the new arguments of an action, for the gate as it was. */
export const editContext = (agentRunId: string, actionDigest: string): string => `edit ${agentRunId} ${actionDigest}`;

/** Beside a question at a gate. */
export const questionContext = (agentRunId: string, questionId: string): string => `question ${agentRunId} ${questionId}`;

/** In the vault of a run, under the run's own key. */
export const vaultContext = (token: string): string => `vault ${token}`;
