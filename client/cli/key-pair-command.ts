import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

/** `keys pair`: what decisions are signed and verified with in production. Nothing is stored. */
export function addKeyPairCommand(keys: Command, { terminal, newDecisionKeyPair }: CliServices, end: (code: ExitCode) => void): void {
  keys
    .command('pair')
    .description('make a key pair that decisions are signed with; it is shown once and stored nowhere')
    .option('--json', 'print JSON')
    .action(({ json }: { readonly json?: boolean }) => {
      const pair = newDecisionKeyPair();
      if (json) terminal.print(JSON.stringify(pair));
      else {
        terminal.note('For the API alone; whoever has it can approve anything in anybody’s name:');
        terminal.print(`TOLLGATE_DECISION_KEY=${pair.privateKey}`);
        terminal.note('For the workers. To change keys, put the new one after a comma first, then change the private one, then take the old one away:');
        terminal.print(`TOLLGATE_DECISION_PUBLIC_KEYS=${pair.publicKey}`);
      }
      end(0);
    });
}
