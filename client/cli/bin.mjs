#!/usr/bin/env node
// Starts the CLI: in the package what was built, in the clone its TypeScript, under Node 24 whatever Node the person has.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLONE_NODE_MAJOR = 24;
/** The condition of package.json's exports under which `import … from 'tollgate'` leads to the sources. */
const CONDITION = 'tollgate-source';
const source = new URL('./main.ts', import.meta.url);

if (!existsSync(source)) {
  await import(new URL('../../dist/client/cli/main.js', import.meta.url).href);
} else if (Number(process.versions.node.split('.')[0]) >= CLONE_NODE_MAJOR) {
  nodeModule.registerHooks({ resolve: (specifier, context, next) => next(specifier, { ...context, conditions: [...context.conditions, CONDITION] }) });
  await import(source.href);
} else {
  runUnderNode24();
}

function runUnderNode24() {
  const node = node24();
  if (!node) {
    process.stderr.write(
      `error: Tollgate runs on Node ${CLONE_NODE_MAJOR}, this is ${process.versions.node}, and its dependencies are not installed. Run "npm start" or "npm ci" first.\n`,
    );
    process.exit(2);
  }
  const child = spawn(node, [`--conditions=${CONDITION}`, fileURLToPath(source), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 130 : 1)));
}

function node24() {
  try {
    const folder = dirname(nodeModule.createRequire(import.meta.url).resolve('node/package.json'));
    const path = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}
