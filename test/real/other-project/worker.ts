import { startTollgateWorker } from 'tollgate/worker';
import config from './own-workflows.config.ts';

const worker = await startTollgateWorker({ config, settings: { TOLLGATE_TASK_QUEUE: 'own', TOLLGATE_LOG_LEVEL: 'warn' } });
console.log('polling');
process.once('SIGTERM', () => void worker.stop());
await worker.stopped;
console.log('stopped');
