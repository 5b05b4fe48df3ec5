// The worker of a test environment as a process of its own: one that can be killed.
import { startTollgateWorker } from '../worker/index.ts';
import { askingRuntimes } from './tool-desk.ts';

const worker = await startTollgateWorker({}, (ports) => ({ ...ports, runtimeOf: askingRuntimes(ports.runtimeOf) }));
const stop = () => void worker.stop();
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);
process.send?.({ type: 'ready' });
await worker.stopped;
process.exit(0);
