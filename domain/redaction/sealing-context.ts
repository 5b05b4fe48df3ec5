// What a sealed value is bound to, so that it opens in its own place alone.

/** Beside a start: the client does not know the run's first execution yet. */
export const startContext = (agentRunId: string): string => `start ${agentRunId}`;

export const messageContext = (agentRunId: string, messageId: string): string => `message ${agentRunId} ${messageId}`;

/** In the vault of a run, under the run's own key. */
export const vaultContext = (token: string): string => `vault ${token}`;
