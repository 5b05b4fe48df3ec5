import { type Ground, openGround } from './support/ground.ts';
import { needPeers } from './support/peers.ts';
import { cpuMs, peakRssMb } from './support/processes.ts';
import { ratios, show, spreadOf, table } from './support/statistics.ts';
import { openStand, playRuns, SUBJECTS, type Subject } from './support/subjects.ts';

const STEPS = 20;

interface Sample {
  readonly msPerStep: number;
  readonly workerCpuMsPerStep: number;
  readonly serverCpuMsPerStep: number;
  readonly peakRssMb: number;
}

/**
 * Time, CPU and memory of a step, for us, the bare activities and the official plugins, on one server and one provider.
 * Every round measures every subject once, in an order of its own; ratios are taken within a round.
 */
export async function benchSteps({ rounds = 10, runs = 40, concurrency = 20 } = {}): Promise<string> {
  needPeers();
  const ground = await openGround();
  const samples = new Map<Subject, Sample[]>(SUBJECTS.map((subject) => [subject, []]));
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const subject of inOrderOf(round)) {
        const sample = await measure(ground, subject, { runs, concurrency, name: `${subject.replaceAll(/\W+/g, '-')}-${concurrency}-${round}` });
        samples.get(subject)?.push(sample);
        process.stderr.write(`round ${round + 1}/${rounds} ${subject}: ${JSON.stringify(sample)}\n`);
      }
  } finally {
    await ground.close();
  }
  return report(samples, concurrency);
}

/** Another first subject each round, and every second round backwards, so that none always follows the same one. */
function inOrderOf(round: number): readonly Subject[] {
  const turned = [...SUBJECTS.slice(round % SUBJECTS.length), ...SUBJECTS.slice(0, round % SUBJECTS.length)];
  return round % 2 === 0 ? turned : turned.reverse();
}

async function measure(
  ground: Ground,
  subject: Subject,
  { runs, concurrency, name }: { readonly runs: number; readonly concurrency: number; readonly name: string },
): Promise<Sample> {
  const stand = await openStand(ground, subject);
  try {
    await (await stand.start(`${name}-warm`, STEPS)).ended;
    const before = { atMs: performance.now(), worker: cpuMs(stand.worker.pid), server: cpuMs(ground.server.pid) };
    const steps = await playRuns(stand, name, { runs, concurrency, stepsOfRun: STEPS });
    return {
      msPerStep: (performance.now() - before.atMs) / steps,
      workerCpuMsPerStep: (cpuMs(stand.worker.pid) - before.worker) / steps,
      serverCpuMsPerStep: (cpuMs(ground.server.pid) - before.server) / steps,
      peakRssMb: peakRssMb(stand.worker.pid),
    };
  } finally {
    await stand.close();
  }
}

/** What each subject is compared with. */
const AGAINST: Readonly<Record<Subject, readonly Subject[]>> = {
  tollgate: ['floor', 'openai-agents', 'ai-sdk'],
  'tollgate, local reads': ['floor, local', 'openai-agents', 'ai-sdk'],
  floor: [],
  'floor, local': [],
  'openai-agents': ['floor'],
  'ai-sdk': ['floor'],
};

function report(samples: ReadonlyMap<Subject, readonly Sample[]>, concurrency: number): string {
  const column = (subject: Subject, name: keyof Sample) => (samples.get(subject) ?? []).map((sample) => sample[name]);
  const absolute = table(
    ['subject', 'ms per step', 'worker CPU ms per step', 'server CPU ms per step', 'peak memory of the worker, MB'],
    SUBJECTS.map((subject) => [
      subject,
      ...(['msPerStep', 'workerCpuMsPerStep', 'serverCpuMsPerStep'] as const).map((name) => show(spreadOf(column(subject, name)), 1)),
      show(spreadOf(column(subject, 'peakRssMb')), 0),
    ]),
  );
  const pairs = SUBJECTS.flatMap((subject) => AGAINST[subject].map((other) => [subject, other] as const));
  const relative = table(
    ['pair', 'steps per second', 'worker CPU', 'server CPU', 'peak memory'],
    pairs.map(([subject, other]) => [
      `${subject} ÷ ${other}`,
      show(ratios(column(other, 'msPerStep'), column(subject, 'msPerStep'))),
      ...(['workerCpuMsPerStep', 'serverCpuMsPerStep', 'peakRssMb'] as const).map((name) => show(ratios(column(subject, name), column(other, name)))),
    ]),
  );
  const rounds = samples.get('tollgate')?.length ?? 0;
  return `${concurrency} run(s) of ${STEPS} steps at once, ${rounds} rounds, median (quartiles)\n\n${absolute}\n\n${relative}\n`;
}
