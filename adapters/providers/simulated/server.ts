import { createServer } from 'node:http';
import type { BillEntry } from './bill.ts';
import { type Campaign, DEFAULT_CAMPAIGN } from './campaign.ts';
import { Desk } from './desk.ts';
import { answerRequest } from './routes.ts';
import { findListedModel, type FindModel } from './price-list.ts';
import { type ScenarioInput, scenarioSchema } from './scenario.ts';
import type { ScriptedAnswer } from './script.ts';
import type { WireRequest } from './wire-request.ts';

const MAX_CONNECTIONS = 2_048;
const RECEIVE_TIMEOUT_MS = 30_000;

export interface SimulatedProviderOptions extends Partial<Campaign> {
  /** 0 or unset takes a free port. */
  readonly port?: number;
  /** Where it listens; this machine's loopback when it is left out. */
  readonly host?: string;
  readonly billFile: string;
  /** The first one that matches a request is played. */
  readonly scenarios?: readonly ScenarioInput[];
  /** A script in code, asked before the scenarios; null leaves the request to them. It must not throw. */
  readonly script?: (request: WireRequest) => ScriptedAnswer | null;
  /** Models with prices of their own, looked up before the price list. */
  readonly findModel?: FindModel;
}

export interface SimulatedProvider {
  /** Base URL of the API, `/v1` included. */
  readonly url: string;
  bill(): BillEntry[];
  /** Stops listening and drops every connection. Work under way stays on the bill. */
  close(): Promise<void>;
}

/**
 * Starts the simulated provider in this process. It goes on with the bill and the background responses of an
 * earlier one.
 * @throws the listen error where the port is taken; ZodError where a scenario has not its shape.
 */
export async function startSimulatedProvider(options: SimulatedProviderOptions): Promise<SimulatedProvider> {
  const scenarios = (options.scenarios ?? []).map((scenario) => scenarioSchema.parse(scenario));
  const { seed, faultRate, faultTypes, latencyMs, bursts } = { ...DEFAULT_CAMPAIGN, ...options };
  const { billFile, script = () => null } = options;
  const findModel: FindModel = (name) => options.findModel?.(name) ?? findListedModel(name);
  const desk = new Desk({ billFile, scenarios, script, findModel, campaign: { seed, faultRate, faultTypes, latencyMs, bursts } });
  const closing = new AbortController();
  const server = createServer({ requestTimeout: RECEIVE_TIMEOUT_MS }, (request, response) => void answerRequest(desk, request, response, closing.signal));
  server.maxConnections = MAX_CONNECTIONS;
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  return {
    url: `http://127.0.0.1:${port}/v1`,
    bill: () => desk.bill.find(),
    async close() {
      closing.abort();
      desk.background.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
