import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The peers' programs and the scripted provider; not part of this repository. */
export const PEERS = join(ROOT, '..', 'shared', 'bench', 'peers');
const CACHE = join(ROOT, '.tollgate', 'bench');

export type Peer = 'openai-agents' | 'ai-sdk' | 'floor';

const temporal = (range: string) => ['worker', 'client', 'workflow', 'activity'].map((name) => `@temporalio/${name}@${range}`);
const PACKAGES: Readonly<Record<Peer, readonly string[]>> = {
  'openai-agents': [
    ...temporal('~1.23.0'),
    '@temporalio/openai-agents@~1.23.0',
    '@openai/agents-core@0.11.6',
    '@openai/agents-openai@0.11.6',
    'openai@6.35.0',
    'zod',
    'tsx',
  ],
  'ai-sdk': [
    ...temporal('~1.23.0'),
    '@temporalio/ai-sdk@~1.23.0',
    'ai@7',
    '@ai-sdk/openai@4',
    '@ai-sdk/mcp@2',
    '@ai-sdk/provider@4',
    'zod',
    'tsx',
    '--legacy-peer-deps',
  ],
  floor: [...temporal('1.24.0'), 'tsx'],
};

/** Stops with a plain message where the peers' programs are not at hand. */
export function needPeers(): void {
  if (existsSync(PEERS)) return;
  process.stderr.write(`This benchmark compares with programs in ${PEERS}, which are not there.\n`);
  process.exit(3);
}

/**
 * A peer's folder, its packages installed, its program split so that the worker has a process of its own: it connects
 * where ADDR says, polls TQ, asks the provider at PROVIDER, and says `worker ready`.
 */
export function peerFolder(peer: Peer): string {
  const folder = join(CACHE, peer);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'node_modules'))) {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `bench-${peer}`, private: true }));
    process.stderr.write(`Installing ${peer} …\n`);
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...PACKAGES[peer]], { cwd: folder, stdio: 'inherit' });
    if (status !== 0) throw new Error(`npm could not install ${peer}`);
  }
  cpSync(join(PEERS, peer, 'workflows.ts'), join(folder, 'workflows.ts'));
  const program = readFileSync(join(PEERS, peer, 'run.ts'), 'utf8');
  writeFileSync(join(folder, 'worker.ts'), workerOnly(program));
  return folder;
}

function workerOnly(program: string): string {
  const start = program.indexOf('const client = new Client');
  if (start === -1 || !program.includes('const p = worker.run();')) throw new Error('the program of the peer is not built as expected');
  return `${program.slice(0, start)}console.log('worker ready'); await p;\n}\nmain().catch((error) => { console.error(error); process.exit(1); });\n`
    .replaceAll(/address: (process\.env\.ADDR \?\? )?'127\.0\.0\.1:7233'/g, 'address: process.env.ADDR')
    .replaceAll(/'http:\/\/127\.0\.0\.1:9100\/v1'/g, 'process.env.PROVIDER')
    .replaceAll(/'http:\/\/127\.0\.0\.1:9100\/v1\/chat\/completions'/g, "process.env.PROVIDER + '/chat/completions'")
    .replaceAll(/const tq = .*;/g, 'const tq = process.env.TQ;');
}
