// Brings a fresh clone to the point where everything runs: dependencies, Node 24, the Temporal dev server.
// Runs under Node 20 or newer with nothing installed, so it imports nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MINIMUM_NODE_MAJOR = 20;
const STAMP = join(ROOT, 'node_modules', '.tollgate-setup');

function stop(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(2);
}

function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env, stdio: 'inherit', shell: process.platform === 'win32' });
  return { ok: status === 0, missing: error?.code === 'ENOENT' };
}

if (Number(process.versions.node.split('.')[0]) < MINIMUM_NODE_MAJOR)
  stop(
    `Tollgate needs Node ${MINIMUM_NODE_MAJOR} or newer to set itself up; this is Node ${process.versions.node}. Install a newer one, then run the same command again.`,
  );

const lock = createHash('sha256')
  .update(readFileSync(join(ROOT, 'package-lock.json')))
  .digest('hex');
const isInstalled = existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lock && existsSync(join(ROOT, 'node_modules', 'node'));
if (!isInstalled) {
  process.stdout.write('Setting up: installing dependencies (once, and again when package-lock.json changes) …\n');
  // Quiet: under an older Node npm warns of packages that want the newer one, which is about to be installed.
  const installed = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], process.env);
  if (installed.missing) stop('npm was not found. It comes with Node; install it, then run the same command again.');
  if (!installed.ok)
    stop('npm ci failed (its message is above). Without a network, or behind a proxy, point npm at a registry it can reach, then run the same command again.');
  mkdirSync(join(ROOT, 'node_modules'), { recursive: true });
  writeFileSync(STAMP, lock);
}

const bin = join(ROOT, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
const node = join(ROOT, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
if (!existsSync(node))
  stop(
    'The npm package "node" did not install its Node 24 (were install scripts switched off?). Run "npm ci --ignore-scripts=false", or use Node 24 yourself.',
  );
const resolved = run(node, [join(ROOT, 'client', 'dev', 'setup-temporal.ts')], env);
if (!resolved.ok) process.exit(2);
