import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../client/dev/temporal-server.ts';
import { cached } from './cached.ts';
import type { CapturedSpan, CapturedValue } from './otlp-capture.ts';
import { waitFor } from './wait-for.ts';

const VERSION = '0.165.0';
const SOURCE = fileURLToPath(new URL('collector', import.meta.url));
const BUILD_TIMEOUT_MS = 20 * 60_000;

/** The OpenTelemetry Collector, built once with Go into the clone's cache, because no package registry has it; else why it can't be had. */
export async function findCollector(): Promise<{ readonly bin: string } | { readonly missing: string }> {
  const sources = ['main.go', 'go.mod', 'go.sum'].map((name) => readFileSync(join(SOURCE, name), 'utf8'));
  const found = await cached(`otelcol-${VERSION}`, createHash('sha256').update(sources.join('\n')).digest('hex'), build);
  return 'missing' in found ? found : { bin: join(found.folder, 'otelcol') };
}

function build(folder: string): Promise<string | null> {
  process.stdout.write(`Building the OpenTelemetry Collector ${VERSION} once with Go, some minutes …\n`);
  const options = { cwd: SOURCE, env: { ...process.env, CGO_ENABLED: '0' }, timeout: BUILD_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile('go', ['build', '-buildvcs=false', '-ldflags=-s -w', '-o', join(folder, 'otelcol'), '.'], options, (error, _stdout, stderr) => {
      if (!error) resolve(null);
      else resolve((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no Go to build one' : `Go can't build one: ${stderr.slice(-500)}`);
    });
  });
}

/** A Collector of the test's own: takes OTLP over HTTP, and writes what it took to a file. */
export class Collector {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tollgate-collector-'));
  readonly #bin: string;
  #process: ChildProcess | null = null;
  #port = 0;

  constructor(bin: string) {
    this.#bin = bin;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get #output(): string {
    return join(this.#folder, 'spans.jsonl');
  }

  /** Starts it, also after `stop`, at the same address and with what it had. */
  async start(): Promise<this> {
    if (this.#port === 0) this.#port = await freePort();
    const config = {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${this.#port}` } } } },
      exporters: { file: { path: this.#output, append: true } },
      service: { pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } } },
    };
    const [configPath, logPath] = [join(this.#folder, 'config.yaml'), join(this.#folder, 'collector.log')];
    writeFileSync(configPath, JSON.stringify(config));
    const log = openSync(logPath, 'a');
    const running = spawn(this.#bin, ['--config', `file:${configPath}`], { stdio: ['ignore', log, log] });
    this.#process = running;
    closeSync(log);
    const isUp = () => fetch(`${this.url}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    const ended = new Promise((_resolve, reject) => running.once('exit', (code) => reject(new Error(`exit code ${code}`))));
    await Promise.race([waitFor('the Collector', async () => (await isUp()).ok, 60_000), ended]).catch((error: unknown) => {
      throw new Error(`the Collector did not start: ${readFileSync(logPath, 'utf8').slice(-2_000)}`, { cause: error });
    });
    return this;
  }

  /** In good order, so that what it took is in its file. */
  async stop(): Promise<void> {
    const running = this.#process;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    const late = setTimeout(() => running.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(late);
  }

  /** Every span that it took, in the order of arrival, also one that was sent twice. */
  get spans(): CapturedSpan[] {
    if (!existsSync(this.#output)) return [];
    const lines = readFileSync(this.#output, 'utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => readTraces(JSON.parse(line) as OtlpTraces));
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

interface OtlpValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly arrayValue?: { readonly values?: readonly OtlpValue[] };
}

type OtlpAttributes = readonly { readonly key: string; readonly value: OtlpValue }[];

interface OtlpTraces {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: OtlpAttributes };
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: OtlpAttributes;
  readonly events?: readonly { readonly name: string }[];
  readonly status?: { readonly code?: number };
}

function readTraces({ resourceSpans = [] }: OtlpTraces): CapturedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || null,
        name: span.name,
        kind: span.kind ?? 0,
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
        attributes: attributesOf(span.attributes),
        events: (span.events ?? []).map(({ name }) => name),
        status: span.status?.code ?? 0,
        resource: attributesOf(resource?.attributes),
      })),
    ),
  );
}

function attributesOf(attributes: OtlpAttributes = []): Record<string, CapturedValue> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]));
}

function readValue({ stringValue, intValue, doubleValue, boolValue, arrayValue }: OtlpValue): CapturedValue {
  if (arrayValue) return (arrayValue.values ?? []).map((value) => String(readValue(value)));
  return stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue ?? '';
}
