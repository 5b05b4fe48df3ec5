import { openGround, type Ground } from './support/ground.ts';
import { needPeers } from './support/peers.ts';
import { cpuMs } from './support/processes.ts';
import { ratios, show, spreadOf, table } from './support/statistics.ts';
import { openStand } from './support/subjects.ts';

const STEPS = 20;
const BARE = { NODE_OPTIONS: `--import=${new URL('./support/without-detectors.mjs', import.meta.url).href}` };
const OPEN = { TOLLGATE_ENCRYPT_STORE: '0', TOLLGATE_ENCRYPT_HISTORY: '0' };
/** Each subject's environment; the first is what the others are compared with. */
const SUBJECTS = {
  nothing: { ...BARE, ...OPEN },
  redaction: OPEN,
  'redaction, store sealed': { TOLLGATE_ENCRYPT_STORE: '1', TOLLGATE_ENCRYPT_HISTORY: '0' },
  'redaction, store and history sealed': { TOLLGATE_ENCRYPT_STORE: '1', TOLLGATE_ENCRYPT_HISTORY: '1' },
} as const;
type Name = keyof typeof SUBJECTS;
const NAMES = Object.keys(SUBJECTS) as Name[];

interface Sample {
  readonly workerCpuMsPerStep: number;
  readonly serverCpuMsPerStep: number;
  readonly historyBytesPerStep: number;
}

/** CPU of a step and bytes of history with what protects data on and off. Every round measures every subject once; ratios are taken within a round. */
export async function benchPrivacy({ rounds = 10, runs = 20, concurrency = 10 } = {}): Promise<string> {
  needPeers();
  const ground = await openGround();
  const samples = new Map<Name, Sample[]>(NAMES.map((name) => [name, []]));
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
        const sample = await measure(ground, name, { runs, concurrency, round });
        samples.get(name)?.push(sample);
        process.stderr.write(`round ${round + 1}/${rounds} ${name}: ${JSON.stringify(sample)}\n`);
      }
  } finally {
    await ground.close();
  }
  return report(samples);
}

async function measure(
  ground: Ground,
  name: Name,
  { runs, concurrency, round }: { readonly runs: number; readonly concurrency: number; readonly round: number },
): Promise<Sample> {
  const stand = await openStand(ground, 'tollgate', SUBJECTS[name]);
  const id = `${name.replaceAll(/\W+/g, '-')}-${round}`;
  try {
    await (await stand.start(`${id}-warm`, STEPS)).ended;
    const before = { worker: cpuMs(stand.worker.pid), server: cpuMs(ground.server.pid) };
    let next = 0;
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (next < runs) {
          next += 1;
          await (await stand.start(`${id}-${next}`, STEPS)).ended;
        }
      }),
    );
    const steps = runs * STEPS;
    const { raw } = await ground.client.workflow.getHandle(`${id}-warm`).describe();
    return {
      workerCpuMsPerStep: (cpuMs(stand.worker.pid) - before.worker) / steps,
      serverCpuMsPerStep: (cpuMs(ground.server.pid) - before.server) / steps,
      historyBytesPerStep: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0) / STEPS,
    };
  } finally {
    await stand.close();
  }
}

function report(samples: ReadonlyMap<Name, readonly Sample[]>): string {
  const column = (name: Name, field: keyof Sample) => (samples.get(name) ?? []).map((sample) => sample[field]);
  const absolute = table(
    ['subject', 'worker CPU ms per step', 'server CPU ms per step', 'history bytes per step'],
    NAMES.map((name) => [
      name,
      show(spreadOf(column(name, 'workerCpuMsPerStep')), 2),
      show(spreadOf(column(name, 'serverCpuMsPerStep')), 2),
      show(spreadOf(column(name, 'historyBytesPerStep')), 0),
    ]),
  );
  const fields = ['workerCpuMsPerStep', 'serverCpuMsPerStep', 'historyBytesPerStep'] as const;
  const relative = table(
    ['pair', 'worker CPU', 'server CPU', 'history bytes'],
    NAMES.slice(1).map((name) => [`${name} ÷ nothing`, ...fields.map((field) => show(ratios(column(name, field), column('nothing', field))))]),
  );
  const rounds = samples.get('nothing')?.length ?? 0;
  return `runs of ${STEPS} steps, ${rounds} rounds, median (quartiles)\n\n${absolute}\n\n${relative}\n`;
}
