import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { seededRandom } from '../seeded-random.ts';

/**
 * The outside world as a process of its own: `pay` honours idempotency keys and can be asked what became of one; `wire` does
 * neither and does the work again each time it is told to. What it has done is in a file, one line for each time, written before
 * it answers; then it may answer late, cut the connection, hang, or say 500 or 503 all the same.
 */
const [seed = '1', logPath = ''] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const done = new Set<string>();

const server = createServer((request, response) => {
  const [, tool = '', door, key = ''] = (request.url ?? '').split('/');
  if (door === 'outcomes') {
    if (tool === 'wire') return response.writeHead(404).end('{}');
    return response.end(JSON.stringify(done.has(key) ? { status: 'done', result: { ok: true } } : { status: 'notDone' }));
  }
  request.resume().on('end', () => {
    const idempotencyKey = String(request.headers['idempotency-key']);
    const fate = random.below(10);
    // Before the work: nothing was done, and the answer does not say so.
    if (fate === 0) return response.writeHead(503).end('busy');
    if (tool === 'wire' || !done.has(idempotencyKey)) appendFileSync(logPath, `${JSON.stringify({ tool, idempotencyKey, atMs: Date.now() })}\n`);
    done.add(idempotencyKey);
    const answer = () => {
      if (fate === 1) return response.destroy();
      if (fate === 2) return;
      if (fate === 3) return response.writeHead(500).end('broken');
      return response.end(JSON.stringify({ ok: true }));
    };
    setTimeout(answer, 100 + random.below(1_500));
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  process.send?.({ type: 'ready', url: `http://127.0.0.1:${port}` });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
