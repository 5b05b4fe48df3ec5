// Downloads the Temporal CLI the way Temporal's own SDK does, into the folder given, by starting it once.
import { Runtime } from '@temporalio/worker';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: download-temporal.ts <folder>');
const runtime = Runtime.instance();
const server = await runtime.createEphemeralServer({
  type: 'dev-server',
  exe: { type: 'cached-download', downloadDir: folder, version: 'default', ttl: 365 * 86_400_000, sdkName: 'sdk-typescript', sdkVersion: '1.24.0' },
  namespace: 'default',
  ip: '127.0.0.1',
  port: null,
  uiPort: null,
  dbFilename: null,
  ui: false,
  log: { format: 'pretty', level: 'error' },
  extraArgs: [],
});
await runtime.shutdownEphemeralServer(server);
process.exit(0);
