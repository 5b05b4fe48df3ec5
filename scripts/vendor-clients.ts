import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type Recorded, summaryOf } from './vendor-clients/summary.ts';

/**
 * Records what each vendor's own client sends for one model call and for feedback on it, to a server of this process, in
 * test/adapters/sinks/vendor-requests.json. The clients are installed beside the project, never into it:
 *
 *     node scripts/vendor-clients.ts [folder]          (default: .tollgate/vendor-clients)
 */
const HERE = fileURLToPath(new URL('vendor-clients', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RECORD = join(ROOT, 'test/adapters/sinks/vendor-requests.json');
const TIMEOUT_MS = 60_000;

const CLIENTS: Readonly<Record<string, readonly string[]>> = {
  langsmith: ['langsmith@0.12.0'],
  weave: ['weave@0.11.1'],
  braintrust: ['braintrust@3.35.0', '@braintrust/otel@1.0.1'],
  langfuse: ['@langfuse/client@5.11.1', '@langfuse/otel@5.11.1', '@langfuse/tracing@5.11.1'],
  helicone: ['@helicone/helpers@1.8.3'],
  phoenix: ['@arizeai/phoenix-client@6.14.2'],
};
/** What the exporters of Langfuse and Braintrust leave to whoever installs them. */
const OPEN_TELEMETRY = ['api@1', 'core@2', 'resources@2', 'sdk-trace-base@2', 'sdk-trace-node@2', 'exporter-trace-otlp-http', 'semantic-conventions@1'];

function install(folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (existsSync(join(folder, 'node_modules'))) return;
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
  const packages = [...Object.values(CLIENTS).flat(), ...OPEN_TELEMETRY.map((name) => `@opentelemetry/${name}`)];
  // Helicone's helpers ask for an older openai than the others.
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--legacy-peer-deps', ...packages], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm could not install the clients in ${folder}`);
}

/** Answers as much as the clients need to go on. */
function answerTo(path: string, url: string): object {
  if (path === '/info')
    return { version: '0.0.0', instance_flags: {}, batch_ingest_config: { use_multipart_endpoint: true, size_limit: 100, size_limit_bytes: 2e7 } };
  if (path.includes('login')) return { org_info: [{ id: 'o1', name: 'org', api_url: url, proxy_url: url }] };
  if (path.startsWith('/graphql')) return { data: { viewer: { username: 'u', defaultEntity: { name: 'team' } } } };
  if (path.startsWith('/api/public')) return { successes: [], errors: [] };
  return { id: 'p1', project: { id: 'p1', name: 'agents' }, digest: 'd' };
}

async function record(name: string, folder: string): Promise<readonly Recorded[]> {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const raw = Buffer.concat(parts);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answerTo(request.url ?? '', url)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  copyFileSync(join(HERE, `${name}.mjs`), join(folder, `${name}.mjs`));
  const child = spawn(process.execPath, [`${name}.mjs`, url], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'], timeout: TIMEOUT_MS });
  await new Promise((resolve) => child.on('exit', resolve));
  server.closeAllConnections();
  server.close();
  return requests;
}

const folder = process.argv[2] ?? join(ROOT, '.tollgate/vendor-clients');
install(folder);
const all: Record<string, object> = {};
for (const [name, packages] of Object.entries(CLIENTS)) {
  const versions = packages.map((one) => {
    const id = one.slice(0, one.lastIndexOf('@'));
    return `${id} ${(JSON.parse(readFileSync(join(folder, 'node_modules', id, 'package.json'), 'utf8')) as { version: string }).version}`;
  });
  all[name] = { clients: versions, requests: (await record(name, folder)).map(summaryOf) };
}
writeFileSync(RECORD, `${JSON.stringify(all, null, 2)}\n`);
spawnSync(join(ROOT, 'node_modules/.bin/biome'), ['format', '--write', RECORD], { stdio: 'ignore' });
process.stdout.write(`${RECORD} is written.\n`);
