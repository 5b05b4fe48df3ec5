import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.ts';

export const PHOENIX_PACKAGE = 'arize-phoenix==20.26.1';
/** Where the clone keeps what can be had again. */
const VENV = fileURLToPath(new URL('../../.tollgate/phoenix/venv', import.meta.url));
const START_TIMEOUT_MS = 180_000;

/** The `phoenix` program. It takes 850 MB, so it is installed by hand and never by a test; else how to have it. */
export function findPhoenix(): { readonly bin: string } | { readonly missing: string } {
  const bin = join(VENV, 'bin', 'phoenix');
  if (existsSync(bin)) return { bin };
  return { missing: `there is none: python3 -m venv .tollgate/phoenix/venv && .tollgate/phoenix/venv/bin/pip install ${PHOENIX_PACKAGE}` };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

export interface PhoenixSpan {
  readonly name: string;
  readonly spanKind: string;
  readonly statusCode: string;
  readonly tokenCountTotal: number | null;
  readonly costSummary: { readonly total: { readonly cost: number | null } } | null;
}

export interface PhoenixAnnotation {
  readonly span_id: string;
  readonly name: string;
  readonly annotator_kind: string;
  readonly identifier: string;
  readonly result: { readonly score: number; readonly label?: string; readonly explanation?: string };
}

/** A Phoenix of the test's own, in a folder of its own. */
export class Phoenix {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tollgate-phoenix-'));
  #process: ChildProcess | null = null;
  url = '';

  async open(bin: string): Promise<this> {
    const [port, grpcPort] = [await freePort(), await freePort()];
    this.url = `http://127.0.0.1:${port}`;
    const log = openSync(join(this.#folder, 'phoenix.log'), 'a');
    this.#process = spawn(bin, ['serve'], {
      env: {
        ...process.env,
        PHOENIX_WORKING_DIR: this.#folder,
        PHOENIX_HOST: '127.0.0.1',
        PHOENIX_PORT: String(port),
        PHOENIX_GRPC_PORT: String(grpcPort),
        PHOENIX_TELEMETRY_ENABLED: 'false',
        PHOENIX_DISABLE_AGENT_ASSISTANT: 'true',
        PHOENIX_AGENTS_DISABLE_BASH: 'true',
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    await waitFor('Phoenix', async () => (await fetch(`${this.url}/healthz`)).ok, START_TIMEOUT_MS);
    return this;
  }

  /** The project's id and spans, as Phoenix itself shows them. */
  async project(name: string): Promise<{ readonly id: string; readonly spans: readonly PhoenixSpan[] } | null> {
    const span = 'name spanKind statusCode tokenCountTotal costSummary { total { cost } }';
    const query = `query { projects { edges { node { id name spans(first: 200) { edges { node { ${span} } } } } } } }`;
    const response = await fetch(`${this.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
    const answer = (await response.json()) as {
      data: { projects: { edges: { node: { id: string; name: string; spans: { edges: { node: PhoenixSpan }[] } } }[] } };
    };
    const found = answer.data.projects.edges.find(({ node }) => node.name === name)?.node;
    return found ? { id: found.id, spans: found.spans.edges.map(({ node }) => node) } : null;
  }

  async annotations(project: string, spanIds: readonly string[]): Promise<readonly PhoenixAnnotation[]> {
    const query = new URLSearchParams(spanIds.map((id): [string, string] => ['span_ids', id]));
    const response = await fetch(`${this.url}/v1/projects/${project}/span_annotations?${query}`);
    return ((await response.json()) as { data?: PhoenixAnnotation[] }).data ?? [];
  }

  async close(): Promise<void> {
    const running = this.#process;
    if (running && running.exitCode === null) {
      const exited = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
