import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { CLOSED } from '../../domain/model/breaker.ts';
import { type BreakerReport, reportBreaker } from '../quota-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { storeOf } from './store-of.ts';
import { columns } from './text.ts';

/** `breakers list|reset`: endpoints that are left alone because they failed too often. */
export function addBreakersCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const breakers = program.command('breakers').description('circuit breakers: models that are left alone because they failed too often');
  breakers
    .command('list', { isDefault: true })
    .description('list the breakers of models that have failed')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => end(await list(services, json ?? false)));
  breakers
    .command('reset')
    .description('close a breaker: the next call goes through')
    .argument('<endpoint>', 'name of the endpoint')
    .argument('<model>', 'name of the model on the wire')
    .action(async (endpoint: string, model: string) => end(await reset(services, endpoint, model)));
}

async function list(services: CliServices, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const breakers = (await (await open(services)).listBreakers()).map(reportBreaker);
  if (json) terminal.print(JSON.stringify(breakers));
  else if (breakers.length === 0) terminal.print('No model has failed yet: every breaker is closed.');
  else for (const line of columns([['ENDPOINT', 'MODEL', 'STATE', 'BECAUSE OF', 'PROBES AFTER'], ...breakers.map(row)])) terminal.print(line.trimEnd());
  return 0;
}

function row({ endpoint, model, status, reason, probeAfter }: BreakerReport): string[] {
  return [endpoint, model, status, reason ?? '-', probeAfter ?? '-'];
}

async function reset(services: CliServices, endpoint: string, model: string): Promise<ExitCode> {
  const store = await open(services);
  if (!(await store.listBreakers()).some((breaker) => breaker.endpoint === endpoint && breaker.model === model))
    throw new TollgateError('notFound', `There is no breaker of ${model} at ${endpoint}. "npx tollgate breakers list" shows those there are.`);
  await store.changeBreaker({ endpoint, model }, () => CLOSED);
  await store.appendAudit({ type: 'breaker.reset', runKey: null, actor: services.identity().name, data: { endpoint, model } });
  services.terminal.print(`The breaker of ${model} at ${endpoint} is closed.`);
  return 0;
}

const open = (services: CliServices) => storeOf(services, 'breakers are looked at');
