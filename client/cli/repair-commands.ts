import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { RepairAsked, RepairOptions } from '../repair.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

interface Given {
  readonly reason: string;
  readonly repairId?: string;
  readonly json?: boolean;
}
type End = (code: ExitCode) => void;

/** `runs pause|resume|skip-step|use-model|raise-budget`, and `sign-repair` for whoever sends it by hand. */
export function addRepairCommands(runs: Command, services: CliServices, end: End): void {
  const add = (name: string, description: string, argument: readonly [string, string] | null, read: (value: string) => RepairAsked) => {
    const command = runs.command(name).description(description).argument('<id>', 'id of the run');
    if (argument) command.argument(...argument);
    command
      .requiredOption('--reason <text>', 'why, for the audit')
      .option('--repair-id <id>', 'the same id again is the same repair')
      .option('--json', 'print JSON')
      .action(async (id: string, ...rest: unknown[]) => {
        const [value, options] = (argument ? rest : ['', ...rest]) as [string, Given];
        end(await repair(services, id, read(value), options));
      });
  };
  add('pause', 'let a run begin no new model call and no tool', null, () => ({ type: 'pause' }));
  add('resume', 'let a paused run go on', null, () => ({ type: 'resume' }));
  add('skip-step', 'give up what is left of the step that a run is at; the model is told', ['<step>', 'its number'], (step) => toSkip(step));
  add('use-model', 'have another model of the chain asked first from now on', ['<model>', 'its name'], (model) => ({ type: 'useModel', model }));
  add('raise-budget', "raise a run's budget", ['<amount>', 'by how many USD'], (amountUsd) => ({ type: 'raiseBudget', amountUsd }));
  runs
    .command('sign-repair')
    .description('sign a repair and print it, as the input of an update in the Temporal UI or CLI')
    .argument('<id>', 'id of the run')
    .argument('<repair>', 'pause, resume, skipStep, useModel or raiseBudget')
    .argument('[value]', 'the step, the model, or the amount in USD')
    .requiredOption('--reason <text>', 'why, for the audit')
    .option('--repair-id <id>', 'the same id again is the same repair')
    .action(async (id: string, type: string, value: string | undefined, options: Given) => end(await sign(services, id, toAsked(type, value), options)));
}

async function repair({ runs, terminal }: CliServices, id: string, asked: RepairAsked, given: Given): Promise<ExitCode> {
  const result = await runs().repair(id, asked, optionsOf(given));
  if (given.json) terminal.print(JSON.stringify({ agentRunId: id, ...result }));
  else if (result.type === 'accepted' || result.type === 'unchanged') terminal.print(result.message);
  else terminal.note(result.type === 'refused' ? `Refused (${result.reason}): ${result.message}` : result.message);
  if (result.type === 'undecided') return 3;
  return result.type === 'refused' ? 1 : 0;
}

async function sign({ runs, terminal }: CliServices, id: string, asked: RepairAsked, given: Given): Promise<ExitCode> {
  const { update, agentRunId, payload, expiresAt } = await runs().signRepair(id, asked, optionsOf(given));
  terminal.print(JSON.stringify(payload));
  terminal.note(
    `Send it before ${expiresAt}: temporal workflow update execute --workflow-id ${JSON.stringify(agentRunId)} --name ${update} --input '<the line above>'`,
  );
  return 0;
}

function optionsOf({ reason, repairId }: Given): RepairOptions {
  return { reason, ...(repairId === undefined ? {} : { repairId }) };
}

function toAsked(type: string, value: string | undefined): RepairAsked {
  if ((type === 'pause' || type === 'resume') && value === undefined) return { type };
  if (type === 'skipStep' && value !== undefined) return toSkip(value);
  if (type === 'useModel' && value !== undefined) return { type, model: value };
  if (type === 'raiseBudget' && value !== undefined) return { type, amountUsd: value };
  throw new TollgateError('invalidInput', 'Say what is done: pause, resume, skipStep <step>, useModel <model> or raiseBudget <USD>.');
}

function toSkip(step: string): RepairAsked {
  return { type: 'skipStep', step: /^\d{1,7}$/.test(step) ? Number(step) : 0 };
}
