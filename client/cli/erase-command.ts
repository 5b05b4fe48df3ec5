import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { erase, type ErasureReport, type ErasureTarget } from '../erasure.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

interface EraseOptions {
  readonly tenant?: string;
  readonly person?: string;
  readonly run?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `erase` and `retention run`: what was said in runs, removed for good. */
export function addEraseCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('erase')
    .description('remove a tenant, a person or a run for good: from the store, the vault and the providers, by destroying keys')
    .option('--tenant <name>', 'everything of this tenant; with --person: whose runs to look in')
    .option('--person <value>', 'ended runs about this person: the subject they were started with, or a value in their vault')
    .option('--run <id>', 'one run, with its children')
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action(async (options: EraseOptions) => end(await run(services, options)));
  program
    .command('retention')
    .description('remove what is older than the settings keep it')
    .command('run')
    .description('do it now, until nothing is left to do; workers do it by themselves')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => end(await runRetention(services, json ?? false)));
}

async function run(services: CliServices, options: EraseOptions): Promise<ExitCode> {
  const { terminal } = services;
  demandStore(services, 'An erasure');
  const target = targetOf(options);
  if (!options.yes) await confirm(services, target);
  const report = await erase(await services.erasurePorts(), target);
  if (options.json) terminal.print(JSON.stringify(report));
  else for (const line of described(report)) terminal.print(line);
  return report.isComplete ? 0 : 1;
}

function targetOf({ tenant, person, run: agentRunId }: EraseOptions): ErasureTarget {
  if (agentRunId !== undefined && tenant === undefined && person === undefined) return { type: 'run', agentRunId };
  if (person !== undefined && agentRunId === undefined && person.trim() !== '') return { type: 'person', person, tenant: tenant ?? 'default' };
  if (tenant !== undefined && agentRunId === undefined && person === undefined) return { type: 'tenant', tenant };
  throw new TollgateError('invalidInput', 'What is to be erased? Give --run <id>, or --person <value> (with --tenant <name>), or --tenant <name> alone.');
}

/** @throws TollgateError where nobody can be asked, or the answer is another. */
async function confirm({ terminal }: CliServices, target: ErasureTarget): Promise<void> {
  const name = target.type === 'run' ? target.agentRunId : target.type === 'person' ? target.person : target.tenant;
  if (!terminal.isInteractive)
    throw new TollgateError('invalidInput', `This can't be undone. Give --yes to erase the ${target.type} "${name}" without being asked.`);
  const answer = await terminal.ask(`This can't be undone. Type the name of the ${target.type} to erase it (${name}): `);
  if (answer !== name) throw new TollgateError('invalidInput', 'Nothing was erased: that is another name.');
}

function described(report: ErasureReport): string[] {
  const { erasedRuns, stillRunning, responsesDeleted, responsesLeft, tenantKeysDestroyed, temporal } = report;
  const histories =
    temporal.retentionDays === null
      ? 'Temporal could not be asked how long it keeps their histories.'
      : `Temporal keeps their histories for ${temporal.retentionDays} days after each end${temporal.removedBy === null ? '' : `: the last is gone by ${temporal.removedBy}`}.`;
  return [
    `${erasedRuns} ${erasedRuns === 1 ? 'run' : 'runs'} erased: their keys are destroyed, what was not sealed is overwritten. Audit and ledger stay.`,
    ...(responsesDeleted > 0 ? [`${responsesDeleted} stored responses deleted at their providers.`] : []),
    ...(tenantKeysDestroyed === true ? ["The tenant's own keys are destroyed: sealed histories and what clients sealed can't be read any more."] : []),
    ...(erasedRuns > 0 ? [histories] : []),
    ...(stillRunning.length > 0
      ? [`Not erased, because they have not ended: ${stillRunning.join(', ')}. Cancel them (tollgate runs cancel <id>) and run this again.`]
      : []),
    ...responsesLeft.map(({ agentRunId, responseId, reason }) => `Response ${responseId} of ${agentRunId} is still stored: ${reason}. Run this again.`),
    'Backups and exported files of before still have it; so may other processes in memory, for five minutes.',
  ];
}

async function runRetention(services: CliServices, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  demandStore(services, 'Retention');
  const removed = await services.runRetention();
  if (json) terminal.print(JSON.stringify({ removed }));
  else
    terminal.print(
      `Removed transcripts of ${removed.transcripts} runs, journals of ${removed.journals}, vaults of ${removed.vault}, audit details of ${removed.audit}.`,
    );
  return 0;
}

function demandStore(services: CliServices, what: string): void {
  const api = services.api();
  if (api)
    throw new TollgateError(
      'invalidInput',
      `TOLLGATE_URL is ${api.url}. ${what} is done where that API has its store and keys. Unset TOLLGATE_URL there and run this again.`,
    );
}
