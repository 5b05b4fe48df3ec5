import { createServer, type Server } from 'node:http';

/** One request that asked for something to be done. */
export interface Arrival {
  readonly tool: string;
  readonly idempotencyKey: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** The outside world of a test: a server that does what tools ask, once for each idempotency key, and counts. */
export class Destination {
  readonly arrivals: Arrival[] = [];
  /** How long an answer takes after the work was done. */
  delayMs: (arrival: Arrival) => number = () => 0;
  /** Whether the connection is cut after the work, so that nobody hears of it. */
  isCut: (arrival: Arrival) => boolean = () => false;
  /** Whether it can say later if something was done. */
  answersOutcomes: (tool: string) => boolean = () => true;
  /** What is answered when it was done. */
  resultOf: (arrival: Arrival) => unknown = () => ({ ok: true });
  #server: Server | null = null;
  url = '';

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      const [, tool = '', door, key = ''] = (request.url ?? '').split('/');
      if (door === 'outcomes') {
        if (!this.answersOutcomes(tool)) return response.writeHead(404).end('{}');
        return response.end(JSON.stringify(this.#outcomeOf(tool, key)));
      }
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const arrival = { tool, idempotencyKey: String(request.headers['idempotency-key']), arguments: JSON.parse(body), atMs: Date.now() };
        this.arrivals.push(arrival);
        setTimeout(() => (this.isCut(arrival) ? response.destroy() : response.end(JSON.stringify(this.resultOf(arrival)))), this.delayMs(arrival));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  }

  #outcomeOf(tool: string, key: string): object {
    const done = this.arrivals.find((arrival) => arrival.tool === tool && arrival.idempotencyKey === key);
    return done ? { status: 'done', result: this.resultOf(done) } : { status: 'notDone' };
  }

  wasDone(tool: string, idempotencyKey: string): boolean {
    return this.arrivals.some((arrival) => arrival.tool === tool && arrival.idempotencyKey === idempotencyKey);
  }

  /** How often a request for this tool came in. */
  count(tool: string): number {
    return this.arrivals.filter((arrival) => arrival.tool === tool).length;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}
