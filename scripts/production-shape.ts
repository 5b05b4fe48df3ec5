// What docker-compose.yml runs, without containers: Postgres, the Temporal server built from its Go module, workers, the API.
import { resolveTemporalCli } from '../client/dev/temporal-cli.ts';
import { missingParts, startTopology } from './production-shape/topology.ts';

const note = (line: string) => process.stderr.write(`${line}\n`);
const missing = missingParts();
if (missing) {
  note(`This machine lacks ${missing}.`);
  process.exit(2);
}
const stopped = new Promise<void>((resolve) => {
  // They stay handled: a second Ctrl-C must not end us before our children have stopped.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
});
const { path } = await resolveTemporalCli({ configuredPath: process.env.TEMPORAL_CLI_PATH, onProgress: note });
const topology = await startTopology({ cliPath: path, env: process.env, workers: 2, note });
process.stdout.write(`
Tollgate runs, shaped as in production; the models are SIMULATED.

${topology.parts.map(({ name, pid }) => `  ${name.padEnd(20)} process ${pid}`).join('\n')}

  Temporal   ${topology.temporalAddress}
  Logs       ${topology.folder}
  API        export TOLLGATE_URL=${topology.apiUrl} TOLLGATE_TOKEN=${topology.token}
             npx tollgate runs list

Ctrl-C stops and removes all of it.
`);
await stopped;
note('Stopping …');
await topology.stop();
process.exit(0);
