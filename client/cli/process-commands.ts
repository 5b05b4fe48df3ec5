import type { Command } from 'commander';
import { type ExitCode, exitCodeOfProcess } from './exit-code.ts';
import type { CliServices } from './services.ts';

/** `dev`, `worker` and `serve`: the processes, together or one by one. */
export function addProcessCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('dev')
    .description('run everything for development: Temporal, a provider where no key is set, a worker, the HTTP API')
    .option('--sample', 'also start a sample run that stops at a gate')
    .option(
      '--scenarios <file or folder>',
      'play the models by these scenarios; may be given several times',
      (path: string, before: string[]) => [...before, path],
      [],
    )
    .action(async ({ sample = false, scenarios }: { readonly sample?: boolean; readonly scenarios: readonly string[] }) =>
      end(exitCodeOfProcess(await services.runDev({ sample, scenarios }))),
    );
  program
    .command('worker')
    .description('run a worker, which carries runs out')
    .action(async () => end(exitCodeOfProcess(await services.runWorker())));
  program
    .command('serve')
    .description('run the HTTP API (TOLLGATE_LISTEN says where)')
    .option('--print-openapi', 'print the OpenAPI document instead')
    .action(async ({ printOpenapi = false }: { readonly printOpenapi?: boolean }) => end(exitCodeOfProcess(await services.runServe({ printOpenapi }))));
}
