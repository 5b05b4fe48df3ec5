import { createServer, type Server } from 'node:http';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

const HEADERS_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 16;

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Answers `GET /metrics` at `host:port`, and nothing else. Null where it can't listen there: that is told in the log, and whoever
 * counts goes on.
 */
export async function serveMetrics(metrics: Metrics, address: string, logger: Logger): Promise<MetricsServer | null> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS }, async (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Metrics are at GET /metrics.\n');
      return;
    }
    try {
      const text = await metrics.text();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch (error) {
      logger.warn({ error: String(error) }, 'metrics could not be collected');
      response.writeHead(500).end();
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await listening(server, host.replace(/^\[|\]$/g, ''), Number(port));
  } catch (error) {
    logger.warn({ address, error: String(error) }, 'metrics are not served: the address can not be listened at');
    return null;
  }
  server.unref();
  const at = server.address();
  const url = `http://${host}:${typeof at === 'object' && at ? at.port : port}/metrics`;
  logger.info({ url }, 'metrics are served');
  return {
    url,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
