import { createServer } from 'node:http';
import { compareSettings, type Rounds } from './support/compare-settings.ts';

/** CPU of a step with and without the traces of its run exported, to a collector that takes everything at once. */
export async function benchTelemetry(rounds: Rounds = {}): Promise<string> {
  const collector = createServer((request, response) => request.resume().on('end', () => response.end()));
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const address = collector.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const off = { OTEL_SDK_DISABLED: 'true' };
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: url };
  const two = { ...on, TOLLGATE_TRACE_SINKS: 'phoenix', PHOENIX_COLLECTOR_ENDPOINT: url };
  try {
    return await compareSettings(
      { 'no traces': off, 'one sink': on, 'one sink, with content': { ...on, TOLLGATE_TRACE_CONTENT: '1' }, 'two sinks': two },
      rounds,
    );
  } finally {
    collector.closeAllConnections();
    collector.close();
  }
}
