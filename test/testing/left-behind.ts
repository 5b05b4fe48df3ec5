// Starts an environment and never stops it: what becomes of it when this process is killed is what a test looks at.
import { startTestEnvironment } from 'tollgate/testing';
import { support } from './support-task.ts';

const environment = await startTestEnvironment({ tasks: [support] });
process.send?.({ folder: environment.folder, temporalAddress: environment.temporalAddress });
setInterval(() => undefined, 1_000);
