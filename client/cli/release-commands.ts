import { type Command, InvalidArgumentError } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { listWorkerVersions, promoteWorkerVersion, type WorkerVersion } from '../worker-versions.ts';
import { type ExitCode, exitCodeOfProcess } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

const DEFAULT_REPLAYED = 1_000;
const MAX_REPLAYED = 100_000;

interface ReplayOptions {
  readonly fromNamespace?: boolean;
  readonly limit: number;
  readonly query?: string;
  readonly save?: string;
  readonly json?: boolean;
}

/** `replay` and `workers`: whether this build can take the runs over, and which version of the workers gets them. */
export function addReleaseCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('replay')
    .description('take histories through the workflow code of this build; exit code 1 where one would break')
    .argument('[folder]', 'folder of stored histories (.bin, or .json of the Temporal CLI)')
    .option('--from-namespace', 'the histories of the runs that are going on')
    .option('--limit <count>', 'at most this many of them, newest first', parseCount, DEFAULT_REPLAYED)
    .option('--query <query>', "only those that Temporal's query finds")
    .option('--save <folder>', 'also keep them as files')
    .option('--json', 'print JSON')
    .action(async (folder: string | undefined, options: ReplayOptions) => end(exitCodeOfProcess(await services.runReplay(replayArguments(folder, options)))));
  const workers = program.command('workers').description('versions of the workers, where TOLLGATE_DEPLOYMENT is set');
  workers
    .command('list', { isDefault: true })
    .description('list the versions: which is current, which may be stopped')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const versions = await listWorkerVersions(await services.connect(), services.deployment());
      if (json) services.terminal.print(JSON.stringify(versions));
      else for (const line of renderVersions(versions)) services.terminal.print(line);
      end(0);
    });
  workers
    .command('promote')
    .description('send new runs to a version; runs that are going on stay where they are')
    .argument('<buildId>', 'the version, as "workers list" shows it')
    .option('--percent <share>', 'only this share of the new runs', parsePercentage)
    .action(async (buildId: string, { percent }: { readonly percent?: number }) => {
      await promoteWorkerVersion(await services.connect(), services.deployment(), buildId, percent);
      services.terminal.note(percent === undefined ? `New runs go to ${buildId}.` : `${percent} % of the new runs go to ${buildId}.`);
      end(0);
    });
}

function replayArguments(folder: string | undefined, { fromNamespace, limit, query, save, json }: ReplayOptions): string[] {
  if ((folder === undefined) === (fromNamespace === undefined))
    throw new TollgateError('invalidInput', 'Name a folder of stored histories, or give --from-namespace for the runs that are going on.');
  if (folder !== undefined && (query !== undefined || save !== undefined))
    throw new TollgateError('invalidInput', '--query and --save belong to --from-namespace.');
  return [
    ...(folder === undefined ? ['--from-namespace', '--limit', String(limit)] : []),
    ...(query === undefined ? [] : ['--query', query]),
    ...(save === undefined ? [] : ['--save', save]),
    ...(json ? ['--json'] : []),
    ...(folder === undefined ? [] : ['--', folder]),
  ];
}

/** Versions for people. */
export function renderVersions(versions: readonly WorkerVersion[]): string[] {
  const rows = versions.map(({ buildId, status, percentage, runningRuns }) => [
    buildId,
    percentage === null ? status : `${status} ${percentage} %`,
    `${runningRuns} running`,
  ]);
  return columns(rows);
}

function parseCount(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > MAX_REPLAYED) throw new InvalidArgumentError(`It is a whole number from 1 to ${MAX_REPLAYED}.`);
  return count;
}

function parsePercentage(value: string): number {
  const percentage = Number(value);
  if (value.trim() === '' || !(percentage >= 0 && percentage <= 100)) throw new InvalidArgumentError('It is a number from 0 to 100.');
  return percentage;
}
