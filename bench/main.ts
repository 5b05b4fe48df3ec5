import { parseArgs } from 'node:util';
import { benchSteps } from './steps.ts';

/** `npm run bench -- <name> [--rounds N] …`: prints Markdown for docs/benchmarks.md on standard output, progress on standard error. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, runs: { type: 'string' }, concurrency: { type: 'string' } },
});
const numbers = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));

const BENCHMARKS: Readonly<Record<string, () => Promise<string>>> = {
  steps: () => benchSteps(numbers),
};

const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);
for (const name of names) {
  const bench = BENCHMARKS[name];
  if (!bench) {
    process.stderr.write(`There is no benchmark "${name}". There are: ${Object.keys(BENCHMARKS).join(', ')}.\n`);
    process.exit(2);
  }
  process.stdout.write(`## ${name}\n\n${await bench()}\n`);
}
