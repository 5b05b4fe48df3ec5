import { TollgateError, type ToolContext } from 'tollgate';
import { type AgentClient, createAgentClient } from 'tollgate/client';
import { type SimulatedProvider, startSimulatedProvider } from 'tollgate/testing';
import { startTollgateWorker, type TollgateWorker } from 'tollgate/worker';
import { agentRun, callModel } from 'tollgate/workflows';
import { parcels } from './tollgate.config.ts';

/** What the declarations must allow, and after `@ts-expect-error` what they must not. */
export const pieces = [agentRun, callModel, createAgentClient, TollgateError] as const;
export const keyOf = (context: ToolContext): string => context.idempotencyKey;
export const start = async (client: AgentClient) => await client.start(parcels, { message: 'Where is P-1?' });
export const provider = (): Promise<SimulatedProvider> =>
  startSimulatedProvider({ billFile: 'bill.jsonl', scenarios: [{ id: 'hi', turns: [{ text: 'Hi.' }] }] });
export const worker = (): Promise<TollgateWorker> => startTollgateWorker({ config: './tollgate.config.ts', settings: { TOLLGATE_HOME: 'data' } });

// @ts-expect-error the task's input has a message
export const wrongInput = async (client: AgentClient) => await client.start(parcels, { text: 'Where is P-1?' });
// @ts-expect-error there is no such setting
export const wrongSetting = () => startTollgateWorker({ settings: { TEMPORAL_ADRESS: '127.0.0.1:7233' } });
// @ts-expect-error a scenario has turns
export const wrongScenario = () => startSimulatedProvider({ billFile: 'bill.jsonl', scenarios: [{ id: 'hi' }] });
