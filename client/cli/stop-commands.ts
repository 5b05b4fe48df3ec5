import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { StopScope } from '../../contracts/statement.ts';
import type { StopReport } from '../standing-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

interface ScopeOptions {
  readonly tool?: string;
  readonly task?: string;
  readonly tenant?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}
type StopOptions = ScopeOptions & { readonly models?: boolean; readonly reason: string };

/** `stop`, `resume`, `stops`: hold irreversible actions back at once, and let them go on. */
export function addStopCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  scoped(program.command('stop').description('hold irreversible actions back, at once; approved ones too'))
    .option('--all', 'everything')
    .option('--models', 'model calls too (not with --tool)')
    .requiredOption('--reason <text>', 'why, for everybody who waits')
    .option('--json', 'print JSON')
    .action(async (options: StopOptions) => end(await stop(services, options)));
  scoped(program.command('resume').description('let what was stopped go on').argument('[stopId]', 'id of the switch; else every one of exactly this scope'))
    .option('--all', 'the switch that stops everything')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print JSON')
    .action(async (stopId: string | undefined, options: StopOptions) => end(await resume(services, stopId, options)));
  program
    .command('stops')
    .description('list what is stopped, by whom and why')
    .option('--all', 'lifted ones too')
    .option('--json', 'print JSON')
    .action(async ({ all = false, json }: ScopeOptions) => {
      const stops = await services.runs().stops({ all });
      if (json) services.terminal.print(JSON.stringify(stops));
      else for (const line of renderStops(stops)) services.terminal.print(line);
      end(0);
    });
}

function scoped(command: Command): Command {
  return command
    .option('--tool <name>', 'a tool')
    .option('--task <name>', 'a task')
    .option('--tenant <name>', 'a tenant; together with others: all of them must fit');
}

async function stop(services: CliServices, { models = false, reason, json, ...options }: StopOptions): Promise<ExitCode> {
  const stopped = await services.runs().throwStop({ ...scopeOf(options), models, reason });
  if (json) services.terminal.print(JSON.stringify(stopped));
  else {
    services.terminal.print(`Stopped: ${scopeText(stopped)}. No irreversible action of it begins from now on; what has begun goes on.`);
    services.terminal.print(`npx tollgate resume ${stopped.stopId} --reason "…"`);
  }
  return 0;
}

async function resume(services: CliServices, stopId: string | undefined, { reason, json, ...options }: StopOptions): Promise<ExitCode> {
  const ids = stopId === undefined ? await idsOf(services, options) : [stopId];
  const lifted: StopReport[] = [];
  for (const id of ids) lifted.push(await services.runs().liftStop(id, reason));
  if (json) services.terminal.print(JSON.stringify(lifted));
  else for (const stopped of lifted) services.terminal.print(`Resumed: ${scopeText(stopped)}. What it held goes on within half a minute.`);
  return 0;
}

async function idsOf(services: CliServices, options: ScopeOptions): Promise<readonly string[]> {
  const scope = scopeOf(options);
  const stops = await services.runs().stops();
  const ids = stops.filter(({ tool, task, tenant }) => tool === scope.tool && task === scope.task && tenant === scope.tenant).map(({ stopId }) => stopId);
  if (ids.length > 0) return ids;
  throw new TollgateError('notFound', 'Nothing of exactly this scope is stopped. "npx tollgate stops" shows what is.');
}

/** @throws TollgateError `invalidInput` where nothing is named, or everything and something. */
function scopeOf({ all = false, ...options }: ScopeOptions): StopScope {
  const { tool = null, task = null, tenant = null }: Partial<StopScope> = options;
  const isNamed = tool !== null || task !== null || tenant !== null;
  if (isNamed === all) throw new TollgateError('invalidInput', 'Say what: --tool, --task, --tenant (one or more), or --all.');
  return { tool, task, tenant };
}

function renderStops(stops: readonly StopReport[]): string[] {
  if (stops.length === 0) return ['Nothing is stopped.'];
  const rows = stops.map((stop) => [stop.stopId, scopeText(stop), stop.by, stop.at, stop.resumed ? `resumed by ${stop.resumed.by}` : 'stopped', stop.reason]);
  return columns([['STOP', 'WHAT', 'BY', 'SINCE', 'STATUS', 'REASON'], ...rows]);
}

function scopeText({ tool, task, tenant, models }: StopReport): string {
  const parts = [...(tool === null ? [] : [`tool ${tool}`]), ...(task === null ? [] : [`task ${task}`]), ...(tenant === null ? [] : [`tenant ${tenant}`])];
  return `${parts.join(', ') || 'everything'}${models ? ' and model calls' : ''}`;
}
