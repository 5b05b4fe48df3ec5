// What Langfuse's own exporter and client send for one generation and a score of it.
import { LangfuseClient } from '@langfuse/client';
import { LangfuseSpanProcessor } from '@langfuse/otel';
import { propagateAttributes, startObservation } from '@langfuse/tracing';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [url] = process.argv.slice(2);
const keys = { publicKey: 'pk-lf-1', secretKey: 'sk-lf-1', baseUrl: url };
const processor = new LangfuseSpanProcessor({ ...keys, environment: 'prod' });
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
provider.register();
await propagateAttributes({ userId: 'alice', sessionId: 'run-1', tags: ['task:support'], metadata: { tenant: 'acme' } }, async () => {
  const details = { usageDetails: { input: 1200, output: 300 }, costDetails: { total: 0.000285 } };
  const generation = startObservation('chat gpt-4o-mini', { model: 'gpt-4o-mini', input: 'hi', output: 'hello', ...details }, { asType: 'generation' });
  generation.end();
});
await processor.forceFlush();
await provider.shutdown();
const client = new LangfuseClient(keys);
client.score.create({
  id: 'score-1',
  traceId: 'a'.repeat(32),
  observationId: 'b'.repeat(16),
  name: 'user_feedback',
  value: 1,
  dataType: 'NUMERIC',
  comment: 'good',
});
await client.score.flush();
process.exit(0);
