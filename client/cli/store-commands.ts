import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

interface Options {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `migrate`, `backup` and `restore`: the store as a whole. */
export function addStoreCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const { terminal, store } = services;
  program
    .command('migrate')
    .description('bring the store to the schema of this version; safe while others run it or work')
    .option('--json', 'print JSON')
    .action(async ({ json }: Options) => {
      const { from, to, applied } = await store.migrate();
      const steps = applied.length > 0 ? ` (${applied.join('; ')})` : '';
      const text = from === to ? `${store.describe()} has schema version ${to} already.` : `${store.describe()}: schema version ${from} → ${to}${steps}.`;
      terminal.print(json ? JSON.stringify({ store: store.describe(), from, to, applied }) : text);
      end(0);
    });
  program
    .command('backup')
    .argument('<file>', 'where to write it; it restores into SQLite and Postgres alike')
    .description('write everything in the store into a file, as it is at one moment, while workers go on')
    .option('--force', 'replace a file that exists')
    .option('--json', 'print JSON')
    .action(async (file: string, { force = false, json }: Options) => {
      const report = await store.backup(file, { overwrite: force });
      terminal.print(json ? JSON.stringify({ file, ...report }) : `${store.describe()} is in ${file}: ${report.runs} runs, ${report.rows} rows.`);
      end(0);
    });
  program
    .command('restore')
    .argument('<file>', 'a backup of either store')
    .description('fill an empty store from a backup, all of it or nothing; stop the workers first')
    .option('--force', 'replace everything that is in the store')
    .option('--json', 'print JSON')
    .action(async (file: string, { force = false, json }: Options) => {
      const { header, ...report } = await store.restore(file, { replace: force });
      const takenAt = new Date(header.createdAtMs).toISOString();
      if (json) terminal.print(JSON.stringify({ file, takenAt, from: header.store, ...report }));
      else {
        terminal.print(`${store.describe()} holds the backup of ${header.store} from ${takenAt}: ${report.runs} runs, ${report.rows} rows.`);
        terminal.print('What happened after that moment is not in it. A run whose history names an attempt or an action that the store now lacks stops in');
        terminal.print('doubt and sends nothing; see "journalMissing" in docs/failures.md. What such runs spent is in the provider’s records alone.');
      }
      end(0);
    });
}
