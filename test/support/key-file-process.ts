import { openKeyFile } from '../../adapters/keys/key-file.ts';

/** One process among several that make the key file of one folder at once: waits for the word, wraps, and answers. */
const [home = ''] = process.argv.slice(2);
process.once('message', async () => {
  const wrapped = await openKeyFile(home).wrap(Buffer.from(String(process.pid)), 'a test');
  process.send?.({ pid: process.pid, wrapped }, () => process.disconnect());
});
process.send?.('ready');
