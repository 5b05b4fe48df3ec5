import { readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ScenarioInput } from '../../../adapters/providers/simulated/scenario.ts';
import { type ReadyChild, startChild } from '../../../client/dev/child-process.ts';
import { type Ended, endOf } from '../http-stage.ts';
import { OtlpCapture } from '../otlp-capture.ts';
import { Stage } from '../stage.ts';
import { waitFor } from '../wait-for.ts';
import { canaryOf, canaryText, leaksIn } from './values.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What a model says that has seen tokens only, and makes values up all the same. */
export function canaryScenarios(): ScenarioInput[] {
  const call = (name: string, args: object) => ({ name, arguments: args });
  const to = '⟦email:1⟧';
  return [
    {
      id: 'canary',
      match: { system: 'CANARY' },
      turns: [
        { text: `I know this: ${canaryText('reply')}`, toolCalls: [call('lookup', { customer: to, note: canaryOf('arguments', 'email') })] },
        { text: null, toolCalls: [call('lookup', { customer: `key ${canaryOf('arguments', 'githubToken')}` }), call('broken', {}), call('refused', {})] },
        { toolCalls: [call('send_mail', { to, text: `Dear ${to}, card ⟦creditCard:1⟧` })] },
        { toolCalls: [call('pay', { to, iban: '⟦iban:1⟧' })] },
        { toolCalls: [call('pay', { to, iban: '⟦iban:1⟧' })] },
        { text: `All done for ${to}. ${canaryText('reply')}` },
      ].map((turn) => Object.fromEntries(Object.entries(turn).filter(([, value]) => value !== null))),
    },
    { id: 'strict', match: { system: 'STRICT' }, turns: [{ text: `Write to ${canaryOf('reply', 'email')}.` }] },
  ] as ScenarioInput[];
}

/** Every sink there is, each at a path of its own. */
const SINKS = ['otlp', 'langsmith', 'weave', 'phoenix', 'braintrust', 'langfuse', 'helicone'] as const;

function sinksAt(url: string): NodeJS.ProcessEnv {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/otlp`,
    TOLLGATE_TRACE_SINKS: SINKS.slice(1).join(','),
    TOLLGATE_TRACE_CONTENT: '1',
    ...{ LANGSMITH_API_KEY: 'k', LANGSMITH_ENDPOINT: `${url}/langsmith` },
    ...{ WANDB_API_KEY: 'k', WANDB_PROJECT: 'team/canary', WF_TRACE_SERVER_URL: `${url}/weave` },
    PHOENIX_COLLECTOR_ENDPOINT: `${url}/phoenix`,
    ...{ BRAINTRUST_API_KEY: 'k', BRAINTRUST_API_URL: `${url}/braintrust` },
    ...{ LANGFUSE_PUBLIC_KEY: 'k', LANGFUSE_SECRET_KEY: 'k', LANGFUSE_BASE_URL: `${url}/langfuse` },
    ...{ HELICONE_API_KEY: 'k', HELICONE_API_URL: `${url}/helicone` },
  };
}

/** A stage with the canary project, an API, a provider that keeps every request it gets, and every sink of traces, with content. */
export class CanaryStage extends Stage {
  readonly #mailFolder: string;
  readonly #requests: Buffer[] = [];
  readonly #sinks = new OtlpCapture();
  #proxy: Server | null = null;
  #api: ReadyChild | null = null;
  /** What commands and the API said. */
  readonly said: string[] = [];

  constructor() {
    const mailFolder = mkdtempSync(join(tmpdir(), 'tollgate-mail-'));
    super({
      TOLLGATE_CONFIG: join(ROOT, 'test', 'support', 'canary', 'tollgate.config.ts'),
      TOLLGATE_LOG_LEVEL: 'trace',
      TOLLGATE_AS: 'bob:lead',
      CANARY_MAILBOX: join(mailFolder, 'mailbox.jsonl'),
    });
    this.#mailFolder = mailFolder;
  }

  async openCanary(options: { readonly databaseUrl?: string } = {}): Promise<this> {
    await this.#sinks.open();
    this.#proxy = createServer((request, response) => void this.#forward(request, response));
    await new Promise<void>((resolve) => this.#proxy?.listen(0, '127.0.0.1', resolve));
    await this.open({ scenarios: canaryScenarios(), ...options });
    const script = join(ROOT, 'client', 'http', 'main.ts');
    const env = { ...this.environment, TOLLGATE_LISTEN: '127.0.0.1:0' };
    this.#api = await startChild({ name: 'HTTP API', script, env, cwd: ROOT, logPath: join(this.folder, 'api.log') });
    return this;
  }

  override get environment(): NodeJS.ProcessEnv {
    const address = this.#proxy?.address() as AddressInfo | undefined;
    return { ...super.environment, ...sinksAt(this.#sinks.url), TOLLGATE_SIMULATED_URL: `http://127.0.0.1:${address?.port}/v1` };
  }

  async #forward(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.#requests.push(body);
    const target = new URL(request.url ?? '/', String(super.environment.TOLLGATE_SIMULATED_URL));
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers;
    const answer = await fetch(target, {
      method: request.method ?? 'POST',
      headers: headers as Record<string, string>,
      ...(body.length > 0 ? { body } : {}),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  async cli(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const bin = join(ROOT, 'client', 'cli', 'bin.mjs');
    const ended = await endOf(process.execPath, [bin, ...args], { env: { ...this.environment, ...env }, cwd: this.folder, input });
    this.said.push(ended.stdout, ended.stderr);
    return ended;
  }

  async http(path: string, init: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`${String(this.#api?.ready.url)}${path}`, init);
    this.said.push(await answer.clone().text());
    return answer;
  }

  /** What the provider was asked, as one text. */
  get requests(): Buffer {
    return Buffer.concat(this.#requests);
  }

  /** What each sink was sent, once all of it has been. */
  async exported(): Promise<Record<string, Buffer>> {
    await waitFor('everything sent', async () => {
      const sinks = await this.store.listSinks();
      return sinks.length >= SINKS.length && sinks.every(({ pending }) => pending === 0);
    });
    const of = (sink: string) => this.#sinks.requests.filter(({ path }) => path.startsWith(`/${sink}/`)).map(({ body }) => body);
    return Object.fromEntries(SINKS.map((sink) => [sink, Buffer.concat(of(sink))]));
  }

  /** What tools were given. */
  get mailbox(): readonly { readonly tool: string; readonly args: Record<string, string> }[] {
    const text = readFileSync(join(this.#mailFolder, 'mailbox.jsonl'), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  }

  /** Leaks by the file that has them: Temporal's database, the store, logs. The scenario files are the model's own. */
  fileLeaks(): Record<string, string[]> {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const searched = files.filter(({ name }) => !name.startsWith('scenario'));
    return Object.fromEntries(
      searched.flatMap(({ parentPath, name }) => {
        const leaks = leaksIn(readFileSync(join(parentPath, name)));
        return leaks.length > 0 ? [[name, leaks]] : [];
      }),
    );
  }

  override async close(): Promise<void> {
    await this.#api?.stop();
    this.#proxy?.closeAllConnections();
    this.#proxy?.close();
    await super.close();
    this.#sinks.close();
    rmSync(this.#mailFolder, { recursive: true, force: true });
  }
}
