import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { QuotaPeriod, QuotaRule } from '../../contracts/quota.ts';
import { readQuota } from '../../domain/quota/quota-spec.ts';
import { describeQuota } from '../../domain/quota/quota.ts';
import { type QuotaReport, reportOneQuota, reportQuota, reportQuotas } from '../quota-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { storeOf } from './store-of.ts';
import { columns } from './text.ts';

interface SetOptions {
  readonly tenant?: string;
  readonly feature?: string;
  readonly per: string;
  readonly usd?: string;
  readonly tokens?: string;
  readonly json?: boolean;
}
interface JsonOption {
  readonly json?: boolean;
}

/** `quotas list|show|set|remove`: what tenants and features may use per minute, day and month. Works on the store itself. */
export function addQuotasCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const quotas = program.command('quotas').description('what tenants and features may use per minute, day and month');
  quotas
    .command('list', { isDefault: true })
    .description('list the quotas with what is used of them now')
    .option('--json', 'print JSON')
    .action(async ({ json }: JsonOption) => end(await list(services, json ?? false)));
  quotas
    .command('show')
    .description('one quota with its windows, newest first')
    .argument('<quotaId>', 'id of the quota')
    .option('--json', 'print JSON')
    .action(async (quotaId: string, { json }: JsonOption) => end(await show(services, quotaId, json ?? false)));
  quotas
    .command('set')
    .description('set a quota, or change its limit; it holds at once, before what the configuration says')
    .option('--tenant <name>', 'the tenant, or "*" for each tenant by itself')
    .option('--feature <name>', 'the feature; without --tenant: of all tenants together')
    .requiredOption('--per <period>', 'minute, day or month, by UTC')
    .option('--usd <amount>', 'limit in USD')
    .option('--tokens <count>', 'limit in tokens of input and output together')
    .option('--json', 'print JSON')
    .action(async (options: SetOptions) => end(await set(services, options)));
  quotas
    .command('remove')
    .description('take a quota away; one of the configuration comes back when a worker starts')
    .argument('<quotaId>', 'id of the quota')
    .option('--json', 'print JSON')
    .action(async (quotaId: string, { json }: JsonOption) => end(await remove(services, quotaId, json ?? false)));
}

async function list(services: CliServices, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const quotas = await reportQuotas(await open(services));
  if (json) terminal.print(JSON.stringify(quotas));
  else if (quotas.length === 0)
    terminal.print('No quotas. Set one with "npx tollgate quotas set --tenant <name> --per day --usd 5", or in tollgate.config.ts.');
  else for (const line of columns([HEADINGS, ...quotas.flatMap(rows)])) terminal.print(line.trimEnd());
  return 0;
}

const HEADINGS = ['QUOTA', 'TENANT', 'FEATURE', 'PER', 'LIMIT', 'SETTLED', 'HELD', 'FREES', 'SET BY'];

/** A quota for each tenant has a line for each that used some of it now. */
function rows({ quotaId, tenant, feature, per, unit, limit, source, use }: QuotaReport): string[][] {
  const shownUnit = unit === 'usd' ? 'USD' : 'tokens';
  const line = (whose: string | null, settled: string, held: string, until: string) => [
    quotaId,
    whose ?? '(all)',
    feature ?? '(all)',
    per,
    `${limit} ${shownUnit}`,
    settled,
    held,
    until,
    source,
  ];
  if (use.length === 0) return [line(tenant, '-', '-', '-')];
  return use.map(({ tenant: whose, settled, held, until }) => line(whose ?? tenant, settled, held, until));
}

async function show(services: CliServices, quotaId: string, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const quota = await reportOneQuota(await open(services), quotaId);
  if (!quota) throw noQuota(quotaId);
  if (json) terminal.print(JSON.stringify(quota));
  else {
    terminal.print(
      `quota ${quota.quotaId} · ${quota.limit} ${quota.unit === 'usd' ? 'USD' : 'tokens'} per ${quota.per} · set by ${quota.source} at ${quota.setAt}`,
    );
    const lines = quota.use.map(({ tenant, from, settled, held, writtenOff, overrun }) => [
      from,
      tenant ?? quota.tenant ?? '(all)',
      settled,
      held,
      writtenOff,
      overrun,
    ]);
    for (const line of columns([['FROM', 'TENANT', 'SETTLED', 'HELD', 'WRITTEN OFF', 'OVERRUN'], ...lines])) terminal.print(line.trimEnd());
  }
  return 0;
}

async function set(services: CliServices, { json, ...options }: SetOptions): Promise<ExitCode> {
  const rule = ruleOf(options);
  const store = await open(services);
  const quota = await store.setQuota(rule, 'command');
  await audit(services, 'quota.set', quota);
  if (json) services.terminal.print(JSON.stringify(reportQuota(quota, [])));
  else services.terminal.print(`Quota ${quota.quotaId}: ${describeQuota(quota)}.`);
  return 0;
}

function ruleOf({ tenant, feature, per, usd, tokens }: SetOptions): QuotaRule {
  const read = readQuota({ tenant, feature, per: per as QuotaPeriod, usd, ...(tokens === undefined ? {} : { tokens: Number(tokens) }) });
  if (read.type === 'quota') return read.rule;
  throw new TollgateError('invalidInput', `The quota was not set: ${read.message}`);
}

async function remove(services: CliServices, quotaId: string, json: boolean): Promise<ExitCode> {
  const quota = await (await open(services)).removeQuota(quotaId);
  if (!quota) throw noQuota(quotaId);
  await audit(services, 'quota.removed', quota);
  if (json) services.terminal.print(JSON.stringify(reportQuota(quota, [])));
  else services.terminal.print(`Removed the quota ${quotaId}: ${describeQuota(quota)}.`);
  return 0;
}

async function audit(
  services: CliServices,
  type: string,
  { quotaId, tenant, feature, per, unit, limit }: QuotaRule & { readonly quotaId: string },
): Promise<void> {
  const data = { quotaId, tenant, feature, per, unit, limit };
  await (await open(services)).appendAudit({ type, runKey: null, actor: services.identity().name, data });
}

function noQuota(quotaId: string): TollgateError {
  return new TollgateError('notFound', `There is no quota ${quotaId}. "npx tollgate quotas list" shows those there are.`);
}

const open = (services: CliServices) => storeOf(services, 'quotas are set');
