import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import { newApiKey, reportApiKey } from '../api-key.ts';
import type { ExitCode } from './exit-code.ts';
import { addKeyPairCommand } from './key-pair-command.ts';
import type { CliServices } from './services.ts';
import { storeOf } from './store-of.ts';
import { columns } from './text.ts';

const MAX_LISTED = 1_000;

interface CreateOptions {
  readonly scopes: string;
  readonly roles?: string;
  readonly tenant?: string;
  readonly json?: boolean;
}

/** `keys create|list|revoke|pair`: who may use the API, and what decisions are signed with. Works on the store itself, at the machine that has it. */
export function addKeysCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const keys = program.command('keys').description('make and revoke keys of the HTTP API, and pairs that decisions are signed with');
  keys
    .command('create')
    .description('make a key; its secret is shown once')
    .argument('<name>', 'who uses it; decisions are signed for key:<name>')
    .requiredOption('--scopes <list>', 'by comma: start, read, decide')
    .option('--roles <list>', 'by comma: the roles that its decisions carry')
    .option('--tenant <name>', 'the one tenant it starts, sees and decides for; default: every tenant')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CreateOptions) => end(await create(services, name, options)));
  addKeyPairCommand(keys, services, end);
  keys
    .command('list')
    .description('list the keys, revoked ones too')
    .option('--json', 'print JSON')
    .action(async (options: { readonly json?: boolean }) => end(await list(services, options.json ?? false)));
  keys
    .command('revoke')
    .description('end a key, for good and at once')
    .argument('<keyId>', 'id of the key')
    .option('--json', 'print JSON')
    .action(async (keyId: string, options: { readonly json?: boolean }) => end(await revoke(services, keyId, options.json ?? false)));
}

async function create(services: CliServices, name: string, { scopes, roles, tenant, json }: CreateOptions): Promise<ExitCode> {
  const { terminal } = services;
  const { key, secret } = newApiKey({ name, scopes: split(scopes), roles: split(roles ?? ''), ...(tenant === undefined ? {} : { tenant }) });
  const store = await openStore(services);
  const record = await store.putApiKey(key);
  await audit(services, store, 'apiKey.created', { keyId: key.keyId, name, scopes: [...key.scopes], roles: [...key.roles], tenant: key.tenant });
  if (json) terminal.print(JSON.stringify({ ...reportApiKey(record), secret }));
  else {
    terminal.note(
      `Key ${key.keyId} for ${name}: ${key.scopes.join(', ')}${key.tenant === null ? '' : `, tenant ${key.tenant}`}. Keep the secret; it is not shown again.`,
    );
    terminal.print(secret);
  }
  if (key.scopes.includes('decide') && key.roles.length === 0)
    terminal.note('It carries no role, so every gate will refuse its decisions. Make one with --roles, such as --roles support-lead.');
  return 0;
}

async function list(services: CliServices, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const keys = (await (await openStore(services)).listApiKeys(MAX_LISTED)).map(reportApiKey);
  if (json) terminal.print(JSON.stringify(keys));
  else if (keys.length === 0) terminal.print('No keys yet. Make one with "npx tollgate keys create <name> --scopes start,read,decide".');
  else {
    const rows = keys.map(({ keyId, name, scopes, roles, tenant, createdAt, revokedAt }) => [
      keyId,
      name,
      scopes.join(','),
      roles.join(',') || '-',
      tenant ?? '(all)',
      createdAt,
      revokedAt ?? '',
    ]);
    for (const line of columns([['KEY', 'NAME', 'SCOPES', 'ROLES', 'TENANT', 'MADE', 'REVOKED'], ...rows])) terminal.print(line.trimEnd());
  }
  return 0;
}

async function revoke(services: CliServices, keyId: string, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const store = await openStore(services);
  const key = await store.revokeApiKey(keyId);
  if (!key) throw new TollgateError('notFound', `There is no key ${keyId}. "npx tollgate keys list" shows those there are.`);
  await audit(services, store, 'apiKey.revoked', { keyId, name: key.name });
  if (json) terminal.print(JSON.stringify(reportApiKey(key)));
  else terminal.print(`The key ${keyId} of ${key.name} no longer counts.`);
  return 0;
}

const openStore = (services: CliServices) => storeOf(services, 'keys are made');

async function audit(services: CliServices, store: Store, type: string, data: Record<string, string | null | string[]>): Promise<void> {
  await store.appendAudit({ type, runKey: null, actor: services.identity().name, data });
}

function split(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
