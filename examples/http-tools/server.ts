import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 4400);
const orders: Readonly<Record<string, string>> = { 'W-7': 'on the truck' };

/** A tool is `POST <url>/<tool name>` with its arguments as JSON; 2xx is its result, 404 says that nothing was done. */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { orderId } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as { orderId?: string };
  const status = request.url === '/tools/find_order' ? orders[orderId ?? ''] : undefined;
  response.writeHead(status ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(status ? { orderId, status } : { error: 'no such order' }));
});
server.listen(port, '127.0.0.1', () => console.log(`Tools at http://127.0.0.1:${port}/tools`));
