#!/usr/bin/env node
// Starts the CLI: in the package what was built, in the clone its TypeScript, there under the Node that it brings where the person's is too old.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The condition of package.json's exports under which `import … from 'tollgate'` leads to the sources. */
const CONDITION = 'tollgate-source';
const source = new URL('./main.ts', import.meta.url);
const isClone = existsSync(source);
const required = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).engines.node.replace('>=', '');

if (isNewEnough()) {
  if (isClone) nodeModule.registerHooks({ resolve: (specifier, context, next) => next(specifier, withCondition(context)) });
  await import(isClone ? source.href : new URL('../../dist/client/cli/main.js', import.meta.url).href);
} else if (isClone) {
  runUnderOwnNode();
} else {
  stop('Install a newer one, then run the same command again.');
}

function isNewEnough() {
  const [major, minor = 0] = required.split('.').map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function withCondition(context) {
  return { ...context, conditions: [...context.conditions, CONDITION] };
}

function runUnderOwnNode() {
  const node = ownNode();
  if (!node) stop('Its dependencies, which bring one, are not installed. Run "npm start" or "npm ci" first.');
  const child = spawn(node, [`--conditions=${CONDITION}`, fileURLToPath(source), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 130 : 1)));
}

function ownNode() {
  try {
    const folder = dirname(nodeModule.createRequire(import.meta.url).resolve('node/package.json'));
    const path = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

function stop(nextMove) {
  process.stderr.write(`error: Tollgate runs on Node ${required} or newer, this is ${process.versions.node}. ${nextMove}\n`);
  process.exit(2);
}
