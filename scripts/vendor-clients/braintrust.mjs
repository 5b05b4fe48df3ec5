// What Braintrust's own exporter and logger send for one call and feedback on it.
import { BraintrustSpanProcessor } from '@braintrust/otel';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [url] = process.argv.slice(2);
const processor = new BraintrustSpanProcessor({ apiKey: 'sk-braintrust', apiUrl: url, parent: 'project_name:agents' });
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
const span = provider.getTracer('golden').startSpan('chat gpt-4o-mini', {
  attributes: {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-4o-mini',
    'gen_ai.usage.input_tokens': 1200,
    'gen_ai.usage.output_tokens': 300,
    'braintrust.metadata': '{"user_id":"alice"}',
    'braintrust.metrics': '{"estimated_cost":0.000285}',
    'braintrust.tags': ['task:support'],
    'braintrust.span_attributes': '{"type":"llm"}',
  },
});
span.end();
await processor.forceFlush();
await provider.shutdown();

const { initLogger } = await import('braintrust');
const logger = initLogger({ projectName: 'agents', projectId: 'p1', apiKey: 'sk-braintrust', appUrl: url, orgName: 'org' });
logger.logFeedback({ id: 'row-1', scores: { user_feedback: 1 }, comment: 'good', metadata: { agentRunId: 'run-1' }, source: 'external' });
await logger.flush();
process.exit(0);
