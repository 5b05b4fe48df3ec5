import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { type AuditSelection, exportAudit } from '../../domain/audit/export.ts';
import { AuditVerifier, type VerificationReport } from '../../domain/audit/verify.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { type AuditQuery, auditLines } from '../http-audit.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { storeOf } from './store-of.ts';

interface SelectOptions {
  readonly run?: string;
  readonly tenant?: string;
  readonly from?: string;
  readonly to?: string;
}

interface VerifyCommandOptions extends SelectOptions {
  readonly file?: string;
  readonly key?: readonly string[];
  readonly anchor?: string;
  readonly json?: boolean;
}

/** `audit export|verify|anchor|key`: what happened, as JSON lines, and whether somebody changed it since. */
export function addAuditCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const audit = program.command('audit').description('who decided, asked, sent and spent what, and whether that record is whole');
  const selecting = (command: Command) =>
    command
      .option('--run <agentRunId>', 'of this run (the newest of that id)')
      .option('--tenant <tenant>', 'of this tenant and its runs')
      .option('--from <time>', 'from this moment, such as 2026-01-31 or 2026-01-31T12:00:00Z')
      .option('--to <time>', 'until before this moment');
  selecting(audit.command('export').description('write the audit as JSON lines, which anybody can verify without us'))
    .option('--out <file>', 'into this file, in place of standard output')
    .action(async ({ out, ...select }: SelectOptions & { readonly out?: string }) => end(await exportLines(services, select, out)));
  selecting(audit.command('verify').description('check an export, or the store: finds rows that were changed, removed, moved or added'))
    .option('--file <file>', 'an export ("-": from standard input); needs neither store nor network')
    .option('--key <publicKey...>', 'the keys that anchors must be signed with ("tollgate audit key" on the machine of the workers shows it)')
    .option('--anchor <hash>', 'hash of an anchor that you noted elsewhere (workers log each), and that must be there')
    .option('--json', 'print JSON')
    .action(async (options: VerifyCommandOptions) => end(await verify(services, options)));
  audit
    .command('anchor')
    .description('anchor all chains now, as workers do once a minute')
    .action(async () => {
      const { anchors, heads, hash } = await services.anchorAudit(await storeOf(services, 'its audit is anchored'));
      services.terminal.print(anchors === 0 ? 'Everything is anchored already.' : `Anchored ${heads} chains. Newest anchor: ${hash}`);
      return end(0);
    });
  audit
    .command('key')
    .description('the public key with which workers of this data folder sign anchors')
    .action(() => {
      services.terminal.print(services.anchorKey());
      return end(0);
    });
}

async function exportLines(services: CliServices, select: SelectOptions, out: string | undefined): Promise<ExitCode> {
  const lines = await openAudit(services, select);
  const file = out === undefined ? null : createWriteStream(out, { mode: 0o600 });
  if (file) await opened(file, out ?? '');
  for await (const text of lines) {
    if (!file) services.terminal.print(text);
    else if (!file.write(`${text}\n`)) await once(file, 'drain');
  }
  if (file) await new Promise<void>((resolve) => file.end(resolve));
  return 0;
}

async function opened(file: NodeJS.EventEmitter, path: string): Promise<void> {
  await once(file, 'open').catch((error: Error) => {
    throw new TollgateError('invalidInput', `${path} can't be written (${error.message}).`, { cause: error });
  });
}

async function verify(services: CliServices, { file, key, anchor, json, ...select }: VerifyCommandOptions): Promise<ExitCode> {
  const options = { ...services.auditDigests, ...(key ? { trustedKeys: key } : {}), ...(anchor === undefined ? {} : { expectedAnchor: anchor }) };
  const verifier = new AuditVerifier(options);
  for await (const line of file === undefined ? ofStore(services, select) : ofFile(services, file)) verifier.take(line);
  const report = verifier.finish();
  services.terminal.print(json ? JSON.stringify(report) : described(report));
  return report.isIntact ? 0 : 1;
}

/** The lines of an export, of the API at TOLLGATE_URL where that is set, else of the store. */
async function openAudit(services: CliServices, select: SelectOptions): Promise<AsyncIterable<string>> {
  const api = services.api();
  if (api) return auditLines(api, queryOf(select));
  const store = await services.openStore();
  const selection = await selectionOf(store, select);
  const nowMs = await store.nowMs();
  return (async function* () {
    for await (const line of exportAudit(store, selection, nowMs)) yield JSON.stringify(line);
  })();
}

async function* ofStore(services: CliServices, select: SelectOptions): AsyncGenerator<unknown> {
  for await (const line of await openAudit(services, select)) yield parsed(line);
}

function queryOf({ run, tenant, from, to }: SelectOptions): AuditQuery {
  return {
    ...(run === undefined ? {} : { run }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(from === undefined ? {} : { from: new Date(momentOf('--from', from)).toISOString() }),
    ...(to === undefined ? {} : { to: new Date(momentOf('--to', to)).toISOString() }),
  };
}

async function* ofFile(services: CliServices, path: string): AsyncGenerator<unknown> {
  const lines = path === '-' ? services.terminal.inputLines() : createInterface({ input: await readable(path), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) if (line.trim() !== '') yield parsed(line);
}

async function readable(path: string): Promise<NodeJS.ReadableStream> {
  const stream = createReadStream(path, 'utf8');
  await once(stream, 'open').catch((error: Error) => {
    throw new TollgateError('invalidInput', `The export ${path} can't be read (${error.message}).`, { cause: error });
  });
  return stream;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

async function selectionOf(store: Store, { run, tenant, from, to }: SelectOptions): Promise<AuditSelection> {
  const record = run === undefined ? null : await store.latestRun(run as AgentRunId);
  if (run !== undefined && !record) throw new TollgateError('notFound', `There is no run "${run}". "tollgate runs list" shows those there are.`);
  return {
    ...(record ? { runKey: record.runKey } : {}),
    ...(tenant === undefined ? {} : { tenant }),
    ...(from === undefined ? {} : { fromMs: momentOf('--from', from) }),
    ...(to === undefined ? {} : { toMs: momentOf('--to', to) }),
  };
}

function momentOf(option: string, text: string): number {
  const moment = Date.parse(text);
  if (Number.isFinite(moment)) return moment;
  throw new TollgateError('invalidInput', `${option} is "${text}", which is no time. Write it as 2026-01-31 or 2026-01-31T12:00:00Z.`);
}

function described(report: VerificationReport): string {
  const { rows, chains, anchors, erased, adopted, unproven, signedBy, findings, findingCount } = report;
  const lines = findings.map(({ kind, line, chain, sequence, message }) => {
    const place = [line === null ? null : `line ${line}`, chain, sequence === null ? null : `row ${sequence}`].filter((part) => part !== null);
    return `${kind}: ${place.join(', ')}${place.length > 0 ? ': ' : ''}${message}`;
  });
  if (findingCount > findings.length) lines.push(`… and ${findingCount - findings.length} more`);
  const notes = [
    erased > 0 ? `Of ${erased} rows the contents were erased.` : null,
    adopted > 0 ? `${adopted} rows were written before the audit was chained: they are proven since the first anchor that has them.` : null,
    unproven > 0 ? `${unproven} rows were written before the audit was chained, and no anchor has them yet.` : null,
    ...signedBy.map((key) => `Anchors are signed with ${key}.`),
  ].filter((note) => note !== null);
  const verdict = report.isIntact ? 'The audit is whole' : 'The audit was tampered with or is damaged';
  return [...lines, `${verdict}: ${rows} rows, ${chains} chains, ${anchors} anchors, ${findingCount} findings.`, ...notes].join('\n');
}
