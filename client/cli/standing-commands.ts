import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { type Condition, conditionSchema } from '../../contracts/statement.ts';
import type { StandingReport } from '../standing-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

interface GrantOptions {
  readonly tool: string;
  readonly tenant: string;
  readonly task?: string;
  readonly destination?: string;
  readonly where: readonly string[];
  readonly free: readonly string[];
  readonly times: string;
  readonly total?: string;
  readonly until: string;
  readonly comment?: string;
  readonly json?: boolean;
}
interface Common {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly reason: string;
  readonly comment?: string;
  readonly digest: string;
}

/** `standing grant|sign|list|show|revoke`: approve actions of one kind ahead, within limits. */
export function addStandingCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const standing = program.command('standing').description('approvals given ahead, for actions of one kind and within limits');
  const show = async (report: Promise<StandingReport>, json: boolean | undefined) => {
    print(services, await report, json ?? false);
    end(0);
  };
  standing
    .command('grant')
    .description('approve ahead; an argument that is neither in --where, --total nor --free is not covered')
    .requiredOption('--tool <name>', 'the tool')
    .option('--tenant <name>', 'the tenant', 'default')
    .option('--task <name>', 'only runs of this task')
    .option('--destination <text>', 'only this destination, as gates show it')
    .option('--where <condition>', '"customer=C-17", "amount<=50" or "currency in EUR,USD"; several times', collect, [])
    .option('--free <argument>', 'an argument that may be anything; several times', collect, [])
    .requiredOption('--times <count>', 'how many actions at most')
    .option('--total <limit>', 'the most that an argument comes to in all, such as "amount<=300"')
    .requiredOption('--until <time>', 'ISO 8601, or a time from now such as 30m, 24h, 7d')
    .option('--comment <text>', 'why')
    .option('--json', 'print JSON')
    .action((options: GrantOptions) => show(services.runs().grantStanding(requestOf(options)), options.json));
  standing
    .command('sign')
    .description('sign what somebody else granted, where a gate asks for more than one person')
    .argument('<standingId>')
    .requiredOption('--digest <termsDigest>', 'names the terms that are signed, as "standing show" prints them')
    .option('--comment <text>', 'why')
    .option('--json', 'print JSON')
    .action((standingId: string, { digest, comment, json }: Common) =>
      show(services.runs().signStanding(standingId, { termsDigest: digest, ...(comment === undefined ? {} : { comment }) }), json),
    );
  standing
    .command('show')
    .description('one standing approval with what is used of it')
    .argument('<standingId>')
    .option('--json', 'print JSON')
    .action((standingId: string, { json }: Common) => show(services.runs().standing(standingId), json));
  standing
    .command('revoke')
    .description('take a standing approval back, for good')
    .argument('<standingId>')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print JSON')
    .action((standingId: string, { reason, json }: Common) => show(services.runs().revokeStanding(standingId, reason), json));
  standing
    .command('list', { isDefault: true })
    .description('list standing approvals')
    .option('--all', 'also those that are over or revoked')
    .option('--json', 'print JSON')
    .action(async ({ all = false, json }: Common) => {
      const standings = await services.runs().standings({ all });
      if (json) services.terminal.print(JSON.stringify(standings));
      else for (const line of renderList(standings)) services.terminal.print(line);
      end(0);
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function requestOf({ tool, tenant, task, destination, where, free, times, total, until, comment }: GrantOptions) {
  const limit = total === undefined ? undefined : readCondition(total);
  if (limit && limit.op !== 'atMost') throw new TollgateError('invalidInput', `--total is a limit such as "amount<=300", not "${total}".`);
  return {
    ...{ tool, tenant, free, conditions: where.map(readCondition), maxUses: readCount(times), until: readUntil(until, Date.now()) },
    ...(task === undefined ? {} : { task }),
    ...(destination === undefined ? {} : { destination }),
    ...(limit ? { total: { argument: limit.argument, atMost: limit.value } } : {}),
    ...(comment === undefined ? {} : { comment }),
  };
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1 && count <= 10_000) return count;
  throw new TollgateError('invalidInput', `--times is a whole number from 1 to 10000, not "${text}".`);
}

/** `argument=value` (JSON, else text), `argument<=number`, `argument in a,b`. */
export function readCondition(text: string): Condition {
  const [, atMost, limit] = /^([^=<]+?) *<= *(\S+)$/.exec(text) ?? [];
  const [, oneOf, list] = /^(\S+) +in +(.+)$/.exec(text) ?? [];
  const [, equal, value] = /^([^=<]+?) *= *(.*)$/s.exec(text) ?? [];
  const read =
    atMost !== undefined
      ? { argument: atMost, op: 'atMost', value: Number(limit) }
      : oneOf !== undefined && list !== undefined
        ? { argument: oneOf, op: 'in', values: list.split(',').map((item) => readValue(item.trim())) }
        : { argument: equal, op: 'eq', value: readValue(value ?? '') };
  const parsed = conditionSchema.safeParse(read);
  if (parsed.success) return parsed.data;
  throw new TollgateError('invalidInput', `"${text}" is no condition: write "customer=C-17", "amount<=50" or "currency in EUR,USD".`);
}

/** A number, true, false or a text in quotes as JSON has them; else the text itself. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time from now, or one in ISO 8601, which the door checks. */
export function readUntil(text: string, nowMs: number): string {
  const [, count, unit] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  return count === undefined || unit === undefined ? text : new Date(nowMs + Number(count) * (UNIT_MS[unit] ?? 0)).toISOString();
}

function print({ terminal }: CliServices, report: StandingReport, json: boolean): void {
  if (json) {
    terminal.print(JSON.stringify(report));
    return;
  }
  terminal.print(`standing approval ${report.standingId} · ${report.status}`);
  terminal.print(report.summary);
  terminal.print(
    `granted by ${report.grantedBy.join(', ')} · used ${report.uses} of ${report.maxUses}${report.total ? ` · ${report.used} of ${report.total.atMost}` : ''}`,
  );
  if (report.free.length > 0) terminal.print(`may be anything: ${report.free.join(', ')}`);
  if (report.revoked) terminal.print(`revoked by ${report.revoked.by} at ${report.revoked.at}: ${report.revoked.reason}`);
  else terminal.print(`terms ${report.termsDigest}`);
}

function renderList(standings: readonly StandingReport[]): string[] {
  if (standings.length === 0) return ['No standing approvals. Give one with "npx tollgate standing grant".'];
  const rows = standings.map((one) => [one.standingId, one.status, `${one.uses}/${one.maxUses}`, one.grantedBy.join(', '), one.summary]);
  return columns([['STANDING', 'STATUS', 'USED', 'GRANTED BY', 'FOR'], ...rows]);
}
