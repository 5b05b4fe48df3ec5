import type { Command } from 'commander';
import type { DelegationReport } from '../standing-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { readUntil } from './standing-commands.ts';
import { columns } from './text.ts';

interface DelegateOptions {
  readonly to: string;
  readonly role: string;
  readonly tenant?: string;
  readonly from?: string;
  readonly until: string;
  readonly comment?: string;
  readonly json?: boolean;
}
interface Common {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly reason: string;
}

/** `delegate`, `delegations`: let somebody decide in your place while you are away. */
export function addDelegateCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('delegate')
    .description('let somebody else decide where your role is asked for, for a time')
    .requiredOption('--to <name>', 'who decides, by the name that decisions carry')
    .requiredOption('--role <role>', 'one of your roles')
    .option('--tenant <name>', 'only at gates of this tenant')
    .option('--from <time>', 'ISO 8601; default: now')
    .requiredOption('--until <time>', 'ISO 8601, or a time from now such as 24h, 7d')
    .option('--comment <text>', 'why')
    .option('--json', 'print JSON')
    .action(async ({ json = false, until, ...options }: DelegateOptions) => {
      print(services, [await services.runs().delegate({ ...options, until: readUntil(until, Date.now()) })], json, true);
      end(0);
    });
  const delegations = program.command('delegations').description('who stands for whom, and until when');
  delegations
    .command('list', { isDefault: true })
    .description('list delegations')
    .option('--all', 'also those that are over or revoked')
    .option('--json', 'print JSON')
    .action(async ({ all = false, json = false }: Common) => {
      print(services, await services.runs().delegations({ all }), json, false);
      end(0);
    });
  delegations
    .command('revoke')
    .description('end a delegation now; votes under it that were not used yet count no more')
    .argument('<delegationId>')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print JSON')
    .action(async (delegationId: string, { reason, json = false }: Common) => {
      print(services, [await services.runs().revokeDelegation(delegationId, reason)], json, true);
      end(0);
    });
}

function print({ terminal }: CliServices, delegations: readonly DelegationReport[], json: boolean, isOne: boolean): void {
  if (json) {
    terminal.print(JSON.stringify(isOne ? delegations[0] : delegations));
    return;
  }
  if (delegations.length === 0) terminal.print('Nobody stands for anybody.');
  const rows = delegations.map((one) => [one.delegationId, one.status, `${one.to} for ${one.delegator}`, one.role, one.tenant ?? '(all)', one.from, one.until]);
  const table = rows.length === 0 ? [] : columns([['DELEGATION', 'STATUS', 'WHO', 'ROLE', 'TENANT', 'FROM', 'UNTIL'], ...rows]);
  for (const line of table) terminal.print(line);
}
