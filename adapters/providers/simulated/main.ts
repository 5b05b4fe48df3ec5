import { parseArgs } from 'node:util';
import { TollgateError } from '../../../contracts/failures.ts';
import { faultSchema, type FaultType } from './scenario.ts';
import { loadScenarios, SHIPPED_SCENARIOS } from './scenario-files.ts';
import { type SimulatedProviderOptions, startSimulatedProvider } from './server.ts';

export { loadScenarios, SHIPPED_SCENARIOS } from './scenario-files.ts';
export { type SimulatedProvider, type SimulatedProviderOptions, startSimulatedProvider } from './server.ts';

const USAGE = `node adapters/providers/simulated/main.ts --bill FILE [--port N] [--host ADDRESS] [--scenarios FILE_OR_FOLDER]... [--seed N]
  [--latency-ms LEAST-MOST] [--fault-rate 0..1] [--faults TYPE,TYPE] [--bursts LENGTH_MS/EVERY_MS]`;

/** The options of a command line. @throws TollgateError invalidInput with what is wrong. */
export function readArguments(args: readonly string[]): SimulatedProviderOptions {
  const values = parseValues(args);
  if (values.bill === undefined) throw wrong('--bill is missing: name the file that the bill is written to');
  const port = numberOption('--port', values.port ?? '0', 0, 65_535, true);
  const seed = numberOption('--seed', values.seed ?? '1', 0, Number.MAX_SAFE_INTEGER, true);
  const faultRate = numberOption('--fault-rate', values['fault-rate'] ?? '0', 0, 1, false);
  const [least, most] = (values['latency-ms'] ?? '0').split('-').map((part) => numberOption('--latency-ms', part, 0, 600_000, true));
  if (least === undefined || (most ?? least) < least) throw wrong(`--latency-ms is "${values['latency-ms']}"; give a number or LEAST-MOST`);
  const faults = values.faults === undefined ? {} : { faultTypes: values.faults.split(',').map(faultType) };
  const scenarios = loadScenarios(values.scenarios ?? [SHIPPED_SCENARIOS]);
  return {
    port,
    ...(values.host === undefined ? {} : { host: values.host }),
    billFile: values.bill,
    scenarios,
    seed,
    faultRate,
    latencyMs: [least, most ?? least],
    ...faults,
    ...(values.bursts === undefined ? {} : { bursts: burstsOption(values.bursts) }),
  };
}

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  const one = { type: 'string' } as const;
  const options = {
    port: one,
    host: one,
    bill: one,
    scenarios: { type: 'string', multiple: true },
    seed: one,
    'fault-rate': one,
    faults: one,
    'latency-ms': one,
    bursts: one,
  } as const;
  return parseArgs({ args: [...args], options });
}

function parseValues(args: readonly string[]): Values {
  try {
    return parse(args).values;
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function burstsOption(text: string): NonNullable<SimulatedProviderOptions['bursts']> {
  const [length = '', every = ''] = text.split('/');
  const everyMs = numberOption('--bursts', every, 1, 3_600_000, true);
  return { lengthMs: numberOption('--bursts', length, 0, everyMs, true), everyMs };
}

function faultType(text: string): FaultType {
  const fault = faultSchema.safeParse(text === 'slow' ? { type: text, delayMs: 0 } : { type: text });
  if (!fault.success) throw wrong(`--faults has "${text}", which is no fault type`);
  return fault.data.type;
}

function numberOption(name: string, text: string, least: number, most: number, isWhole: boolean): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most) || (isWhole && !Number.isSafeInteger(value))) {
    throw wrong(`${name} is "${text}"; give a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`);
  }
  return value;
}

function wrong(message: string): TollgateError {
  return new TollgateError('invalidInput', `${message}.\n${USAGE}`);
}

async function main(): Promise<void> {
  const provider = await startSimulatedProvider(readArguments(process.argv.slice(2)));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    void provider.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('disconnect', stop);
  console.log(`Simulated provider, no real model: ${provider.url}`);
  process.send?.({ type: 'ready', url: provider.url });
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  });
}
