import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import type { TaskSpec } from '../../domain/task/define.ts';
import type { AgentClient } from '../agent-client.ts';
import { claimDevFile, type DevFile, removeDevFile, writeDevFile } from './dev-file.ts';
import { bringSampleToItsGate, SAMPLE_RUN_ID } from './sample-run.ts';
import { type RunningChild, type Supervised, supervise } from './supervisor.ts';

export interface TemporalChild extends RunningChild {
  readonly address: string;
  readonly uiUrl: string;
}

export interface ProviderChild extends RunningChild {
  /** Base URL including `/v1`. */
  readonly url: string;
}

export interface ApiChild extends RunningChild {
  /** Base URL, without a path. */
  readonly url: string;
}

/** Where the processes of a session find each other. */
export interface DevPlaces {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly uiUrl: string | null;
  readonly simulatedUrl: string | null;
}

/** What a development session starts. Each part is a process of its own; wired by the CLI. */
export interface DevParts {
  readonly home: string;
  readonly namespace: string;
  /** The configured Temporal server; null where one is to be started. */
  readonly temporalAddress: string | null;
  /** The configured simulated provider, for tests that bring their own. */
  readonly simulatedUrl: string | null;
  /** Whether a key for a real provider is set. */
  readonly hasKey: boolean;
  startTemporal(note: (line: string) => void): Promise<TemporalChild>;
  startProvider(): Promise<ProviderChild>;
  startWorker(places: DevPlaces): Promise<RunningChild>;
  startApi(places: DevPlaces): Promise<ApiChild>;
  /** The client and the store for the sample run, once everything stands. */
  openSample(places: DevPlaces): Promise<{ readonly agent: AgentClient; readonly store: Store; readonly task: TaskSpec }>;
  print(line: string): void;
  note(line: string): void;
  /** Resolves when the person, or the system, wants the session to stop. */
  readonly stopped: Promise<void>;
}

/**
 * Runs everything for development until it is told to stop, then stops what it started, by pid.
 * @throws TollgateError where another session has the data folder, or where a part does not start.
 */
export async function runDevSession(parts: DevParts, options: { readonly sample: boolean }): Promise<void> {
  const other = await claimDevFile(parts.home);
  if (other) throw alreadyRunning(parts.home, other);
  const started: { readonly name: string; stop(): Promise<void> }[] = [];
  const run = async <Child extends RunningChild>(name: string, start: () => Promise<Child>): Promise<Child> => {
    const supervised: Supervised<Child> = await supervise(name, start, parts.note);
    started.push({ name, stop: supervised.stop });
    return supervised.first;
  };
  let wasToldToStop = false;
  const stopped = parts.stopped.then(() => {
    wasToldToStop = true;
  });
  try {
    await Promise.race([bringUp(parts, options, run), stopped]);
    await stopped;
  } catch (error) {
    // A part that is interrupted while it starts fails; that is what was asked for.
    if (!wasToldToStop) throw error;
  } finally {
    for (const part of started.reverse()) await part.stop().catch((error: unknown) => parts.note(`The ${part.name} did not stop: ${String(error)}`));
    removeDevFile(parts.home);
  }
}

type Run = <Child extends RunningChild>(name: string, start: () => Promise<Child>) => Promise<Child>;

async function bringUp(parts: DevParts, options: { readonly sample: boolean }, run: Run): Promise<void> {
  const file: { -readonly [Field in keyof Omit<DevFile, 'pid'>]: DevFile[Field] } = { namespace: parts.namespace };
  const startTemporal = async () => {
    const server = await parts.startTemporal(parts.note);
    Object.assign(file, { temporalPid: server.pid, temporalAddress: server.address, uiUrl: server.uiUrl });
    writeDevFile(parts.home, file);
    return server;
  };
  const temporal = parts.temporalAddress === null ? await run('Temporal dev server', startTemporal) : null;
  const provider = parts.hasKey || parts.simulatedUrl !== null ? null : await run('simulated provider', () => parts.startProvider());
  const places: DevPlaces = {
    temporalAddress: temporal?.address ?? parts.temporalAddress ?? '',
    namespace: parts.namespace,
    uiUrl: temporal?.uiUrl ?? null,
    simulatedUrl: provider?.url ?? parts.simulatedUrl,
  };
  file.temporalAddress = places.temporalAddress;
  if (places.simulatedUrl !== null) file.simulatedUrl = places.simulatedUrl;
  writeDevFile(parts.home, file);
  await run('worker', () => parts.startWorker(places));
  const api = await run('HTTP API', () => parts.startApi(places));
  file.apiUrl = api.url;
  writeDevFile(parts.home, file);
  for (const line of describePlaces(places, api.url)) parts.print(line);
  if (options.sample) await showSample(parts, places, api.url);
  parts.print('');
  parts.print('Ctrl-C stops everything that was started here; the state is kept.');
}

/** Where to look, and what plays the models. */
export function describePlaces(places: DevPlaces, apiUrl: string): string[] {
  return [
    'Tollgate runs.',
    '',
    `  Temporal UI   ${places.uiUrl ?? `(at your own server, ${places.temporalAddress})`}`,
    `  Inbox         ${apiUrl}/inbox/`,
    `  HTTP API      ${apiUrl}/v1 (described at ${apiUrl}/v1/openapi.json)`,
    places.simulatedUrl === null
      ? '  Models        the real provider, with your OPENAI_API_KEY: runs cost money'
      : '  Models        SIMULATED: scripted answers from scenario files, no key needed, nothing is charged. Set OPENAI_API_KEY for real ones.',
  ];
}

async function showSample(parts: DevParts, places: DevPlaces, apiUrl: string): Promise<void> {
  parts.note('Starting the sample run …');
  const { agent, store, task } = await parts.openSample(places);
  const state = await bringSampleToItsGate(agent, store, task);
  parts.print('');
  if (state.type !== 'waiting') {
    parts.print(state.type === 'ended' ? `The sample run ended without stopping at a gate: ${state.message}` : 'The sample run has not reached its gate yet.');
    parts.print(`  Look at it    npx tollgate runs watch ${SAMPLE_RUN_ID}`);
    return;
  }
  const { gate } = state;
  parts.print(`The sample run "${SAMPLE_RUN_ID}" waits at a gate: it wants to call ${gate.tool} at ${gate.destination}`);
  parts.print(`with ${JSON.stringify(gate.arguments)}.`);
  parts.print('');
  if (places.uiUrl !== null) parts.print(`  See it        ${places.uiUrl}/namespaces/${places.namespace}/workflows/${SAMPLE_RUN_ID}`);
  parts.print(`  Watch it      npx tollgate runs watch ${SAMPLE_RUN_ID}`);
  parts.print(`  Decide it     ${apiUrl}/inbox/gates/${encodeURIComponent(gate.approvalId)}`);
  parts.print(`  Approve it    ${gate.approveCommand ?? ''}`);
  parts.print(`  Deny it       npx tollgate deny ${gate.approvalId} --reason "…"`);
}

function alreadyRunning(home: string, other: DevFile): TollgateError {
  const where = other.uiUrl === undefined ? '' : ` The Temporal UI is at ${other.uiUrl}.`;
  return new TollgateError(
    'invalidInput',
    `Tollgate runs already with the data folder ${home} (process ${other.pid}).${where} Use it, stop it with Ctrl-C in its terminal, or set TOLLGATE_HOME to another folder.`,
  );
}
