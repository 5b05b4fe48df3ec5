import { parseArgs } from 'node:util';
import { benchCrashes } from './crashes.ts';
import { benchHistory } from './history.ts';
import { benchJournal } from './journal.ts';
import { benchPrivacy } from './privacy.ts';
import { benchRecovery } from './recovery.ts';
import { benchRedaction } from './redaction.ts';
import { benchRedactionQuality } from './redaction-quality.ts';
import { benchStart } from './start.ts';
import { benchSteps } from './steps.ts';
import { benchStreaming } from './streaming.ts';
import { benchTelemetry } from './telemetry.ts';
import { benchWaiting } from './waiting.ts';

/** `npm run bench -- <name> [--rounds N] …`: prints Markdown for docs/benchmarks.md on standard output, progress on standard error. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    runs: { type: 'string' },
    concurrency: { type: 'string' },
    seconds: { type: 'string' },
    'presidio-research': { type: 'string' },
    gitleaks: { type: 'string' },
  },
});
const { 'presidio-research': presidioResearch, gitleaks, ...counts } = values;
const numbers = Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, Number(value)]));

const BENCHMARKS: Readonly<Record<string, () => Promise<string>>> = {
  steps: () => benchSteps(numbers),
  history: () => benchHistory(),
  recovery: () => benchRecovery(numbers),
  crashes: () => benchCrashes(numbers),
  redaction: () => benchRedaction(numbers),
  start: () => benchStart(numbers),
  streaming: () => benchStreaming(numbers),
  privacy: () => benchPrivacy(numbers),
  journal: () => benchJournal(numbers),
  waiting: () => benchWaiting(numbers),
  telemetry: () => benchTelemetry(numbers),
  'redaction-quality': () => benchRedactionQuality({ ...(presidioResearch ? { presidioResearch } : {}), ...(gitleaks ? { gitleaks } : {}) }),
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
