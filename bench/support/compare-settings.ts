import { openGround, type Ground } from './ground.ts';
import { needPeers } from './peers.ts';
import { cpuMs } from './processes.ts';
import { ratios, show, spreadOf, table } from './statistics.ts';
import { openStand, playRuns } from './subjects.ts';

const STEPS = 20;

/** Environments of our worker by name; the first is what the others are compared with. */
export type Settings = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Rounds {
  readonly rounds?: number;
  readonly runs?: number;
  readonly concurrency?: number;
}

const FIELDS = {
  msPerStep: ['ms per step', 2],
  workerCpuMsPerStep: ['worker CPU ms per step', 2],
  serverCpuMsPerStep: ['server CPU ms per step', 2],
  historyBytesPerStep: ['history bytes per step', 0],
} as const;
const NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
type Sample = Readonly<Record<keyof typeof FIELDS, number>>;

/**
 * What a step costs under each of `settings`, as Markdown: runs of 20 steps on one server and one provider. Every round
 * measures every subject once, each with a new worker; ratios are taken within a round.
 */
export async function compareSettings(settings: Settings, { rounds = 10, runs = 20, concurrency = 10 }: Rounds): Promise<string> {
  needPeers();
  const subjects = Object.keys(settings);
  const ground = await openGround();
  const samples = new Map<string, Sample[]>(subjects.map((name) => [name, []]));
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const name of round % 2 === 0 ? subjects : subjects.toReversed()) {
        const sample = await measure(ground, `${name.replaceAll(/\W+/g, '-')}-${round}`, settings[name] ?? {}, { runs, concurrency });
        samples.get(name)?.push(sample);
        process.stderr.write(`round ${round + 1}/${rounds} ${name}: ${JSON.stringify(sample)}\n`);
      }
  } finally {
    await ground.close();
  }
  return report(samples, rounds);
}

async function measure(
  ground: Ground,
  id: string,
  env: Readonly<Record<string, string>>,
  { runs, concurrency }: { readonly runs: number; readonly concurrency: number },
): Promise<Sample> {
  const stand = await openStand(ground, 'tollgate', env);
  try {
    await (await stand.start(`${id}-warm`, STEPS)).ended;
    const before = { atMs: performance.now(), worker: cpuMs(stand.worker.pid), server: cpuMs(ground.server.pid) };
    const steps = await playRuns(stand, id, { runs, concurrency, stepsOfRun: STEPS });
    const { raw } = await ground.client.workflow.getHandle(`${id}-warm`).describe();
    return {
      msPerStep: (performance.now() - before.atMs) / steps,
      workerCpuMsPerStep: (cpuMs(stand.worker.pid) - before.worker) / steps,
      serverCpuMsPerStep: (cpuMs(ground.server.pid) - before.server) / steps,
      historyBytesPerStep: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0) / STEPS,
    };
  } finally {
    await stand.close();
  }
}

function report(samples: ReadonlyMap<string, readonly Sample[]>, rounds: number): string {
  const column = (subject: string, field: keyof Sample) => (samples.get(subject) ?? []).map((sample) => sample[field]);
  const [first = '', ...others] = samples.keys();
  const headers = NAMES.map((field) => FIELDS[field][0]);
  const absolute = table(
    ['subject', ...headers],
    [first, ...others].map((subject) => [subject, ...NAMES.map((field) => show(spreadOf(column(subject, field)), FIELDS[field][1]))]),
  );
  const relative = table(
    ['pair', ...headers],
    others.map((subject) => [`${subject} ÷ ${first}`, ...NAMES.map((field) => show(ratios(column(subject, field), column(first, field))))]),
  );
  return `runs of ${STEPS} steps, ${rounds} rounds, median (quartiles)\n\n${absolute}\n\n${relative}\n`;
}
