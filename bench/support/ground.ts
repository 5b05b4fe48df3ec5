import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { resolveTemporalCli } from '../../client/dev/temporal-cli.ts';
import { freePort, startTemporalServer, type TemporalServer } from '../../client/dev/temporal-server.ts';
import { type BenchProcess, startProcess } from './processes.ts';
import { PEERS } from './peers.ts';

/** What every subject stands on: one tuned Temporal server, one scripted provider, one client. */
export interface Ground {
  readonly folder: string;
  readonly server: TemporalServer;
  readonly client: Client;
  readonly providerUrl: string;
  /** Calls that the provider has served so far. */
  served(): Promise<number>;
  close(): Promise<void>;
}

/** `replyDelayMs`: how long the provider takes for a reply. */
export async function openGround(options: { readonly replyDelayMs?: number } = {}): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  mkdirSync(join(folder, 'logs'));
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const { path } = await resolveTemporalCli({ configuredPath: process.env.TEMPORAL_CLI_PATH, onProgress: note });
  const server = await startTemporalServer({ cliPath: path, folder: join(folder, 'temporal'), namespace: 'default', headless: true });
  const providerPort = await freePort();
  const provider: BenchProcess = await startProcess(process.execPath, [join(PEERS, 'mock.mjs'), String(providerPort), String(options.replyDelayMs ?? 0)], {
    ready: 'mock on',
    logPath: join(folder, 'logs', 'provider.log'),
  });
  const connection = await Connection.connect({ address: server.address });
  const providerUrl = `http://127.0.0.1:${providerPort}/v1`;
  return {
    folder,
    server,
    client: new Client({ connection }),
    providerUrl,
    served: async () => ((await (await fetch(`http://127.0.0.1:${providerPort}/bill`)).json()) as { calls: number }).calls,
    async close() {
      await connection.close();
      await provider.stop();
      await server.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
