// Holds the Temporal server of a test environment: where the test's process dies without stopping it, this one does, and clears its folder.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTemporalServer } from '../client/dev/temporal-server.ts';

const [cliPath = '', home = ''] = process.argv.slice(2);
const starting = startTemporalServer({ cliPath, folder: join(home, 'temporal'), namespace: 'default', headless: true });

let isEnding = false;

async function end(andClear: boolean): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  // Nothing of it is kept, so it need not end in good order.
  await starting.then(
    async ({ pid, exited }) => {
      process.kill(pid, 'SIGKILL');
      await exited;
    },
    () => undefined,
  );
  if (andClear) rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  process.exit(0);
}

process.once('disconnect', () => void end(true));
process.once('SIGTERM', () => void end(false));
const { address } = await starting;
process.send?.({ type: 'ready', address });
