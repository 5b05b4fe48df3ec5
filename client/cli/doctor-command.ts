import type { Command } from 'commander';
import { type Check, diagnose } from './doctor.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

/** `doctor`: what is missing, and what to do. */
export function addDoctorCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('check everything that a run needs')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const checks = await diagnose(services);
      const isHealthy = checks.every((check) => check.status !== 'problem');
      if (json) services.terminal.print(JSON.stringify({ ok: isHealthy, checks }));
      else for (const line of renderChecks(checks)) services.terminal.print(line);
      end(isHealthy ? 0 : 1);
    });
}

/** Checks for people: one line each, the fix below what needs one. */
export function renderChecks(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map((check) => check.name.length));
  return checks.flatMap((check) => {
    const mark = { ok: 'ok     ', problem: 'PROBLEM', skipped: 'skipped' }[check.status];
    return [`${mark}  ${check.name.padEnd(width)}  ${check.message}`, ...(check.fix ? [`${' '.repeat(width + 11)}→ ${check.fix}`] : [])];
  });
}
