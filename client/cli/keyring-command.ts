import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

interface Options {
  readonly tenant?: string;
  readonly json?: boolean;
}

const MAX_LISTED = 1_000;

/** `keyring list|rotate|rewrap|public-key`: the keys that sealed values lie under. */
export function addKeyringCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const { terminal } = services;
  const keyring = program.command('keyring').description('the keys that what is sealed lies under');
  keyring
    .command('list')
    .description("list the tenants' keys; never a secret")
    .option('--json', 'print JSON')
    .action(async ({ json }: Options) => {
      const keys = (await (await services.openStore()).listTenantKeys({ limit: MAX_LISTED })).map(({ keyId, tenant, version, createdAtMs, wrapped }) => ({
        keyId,
        tenant,
        version,
        createdAt: new Date(createdAtMs).toISOString(),
        wrappedBy: wrapped?.split(':')[0] ?? null,
      }));
      if (json) terminal.print(JSON.stringify(keys));
      else if (keys.length === 0) terminal.print('No keys yet: each is made at its first use.');
      else {
        const rows = keys.map((key) => [key.keyId, key.tenant || '(namespace)', String(key.version), key.createdAt, key.wrappedBy ?? '']);
        for (const line of columns([['KEY', 'TENANT', 'VERSION', 'MADE', 'WRAPPED BY'], ...rows])) terminal.print(line.trimEnd());
      }
      end(0);
    });
  keyring
    .command('rotate')
    .description("make a new root key in the key file and wrap all tenants' keys under it; with --tenant: a new key for that tenant")
    .option('--tenant <name>', 'whose')
    .option('--json', 'print JSON')
    .action(async ({ tenant, json }: Options) => {
      const report = await services.rotateKeys(tenant ?? null);
      if (json) terminal.print(JSON.stringify(report));
      else if (tenant === undefined)
        terminal.print(
          `The root key is ${report.keyId}; ${report.rewrapped} tenant keys are wrapped under it. The older root files are still needed by backups.`,
        );
      else terminal.print(`New values of ${tenant} are sealed under ${report.keyId}; the older ones still open.`);
      end(0);
    });
  keyring
    .command('rewrap')
    .description("wrap all tenants' keys anew, after the key service rotated its own")
    .option('--json', 'print JSON')
    .action(async ({ json }: Options) => {
      const rewrapped = await (await services.keyring()).rewrap();
      terminal.print(json ? JSON.stringify({ rewrapped }) : `${rewrapped} tenant keys are wrapped anew.`);
      end(0);
    });
  keyring
    .command('public-key')
    .description('print the key that a client without secrets seals with')
    .requiredOption('--tenant <name>', 'whose')
    .action(async ({ tenant }: Required<Options>) => {
      terminal.print(JSON.stringify(await (await services.keyring()).publicKey(tenant)));
      end(0);
    });
}
