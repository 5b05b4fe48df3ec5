import { TollgateError } from '../contracts/failures.ts';
import { startTollgateWorker } from './index.ts';

/** A worker that cannot stop in good order within this time is ended. */
const STOP_DEADLINE_MS = 20_000;

async function main(): Promise<void> {
  const worker = await startTollgateWorker();
  const stop = () => {
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    worker.stop();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  process.send?.({ type: 'ready' });
  await worker.stopped;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof TollgateError;
    process.stderr.write(`error: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(known ? 2 : 1);
  },
);
