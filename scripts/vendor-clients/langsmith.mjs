// What LangSmith's own client sends for one call, by OpenTelemetry and in its own protocol, and for feedback on it.
const [url] = process.argv.slice(2);
const { Client } = await import('langsmith');
const { traceable } = await import('langsmith/traceable');
const call = (more) =>
  traceable(async () => ({ role: 'assistant', content: 'hi', usage_metadata: { input_tokens: 1200, output_tokens: 300, total_tokens: 1500 } }), {
    name: 'chat',
    run_type: 'llm',
    project_name: 'agents',
    tags: ['task:support'],
    metadata: { ls_provider: 'openai', ls_model_name: 'gpt-4o-mini', session_id: 'run-1', user_id: 'alice' },
    ...more,
  });
const client = new Client({ apiUrl: url, apiKey: 'lsv2_fake' });
await call({ client, tracingEnabled: true })({ messages: [{ role: 'user', content: 'hi' }] });
await client.awaitPendingTraceBatches();
const run = '00000000-0000-4000-8000-000000000001';
await client.createFeedback(run, 'user_feedback', {
  score: 1,
  value: 'helpful',
  comment: 'good',
  feedbackId: '00000000-0000-4000-8000-000000000002',
  sessionId: run,
});
Object.assign(process.env, {
  LANGSMITH_TRACING: 'true',
  LANGSMITH_OTEL_ENABLED: 'true',
  LANGSMITH_ENDPOINT: url,
  LANGSMITH_API_KEY: 'lsv2_fake',
  LANGSMITH_PROJECT: 'agents',
});
try {
  const { initializeOTEL } = await import('langsmith/experimental/otel/setup');
  const { DEFAULT_LANGSMITH_SPAN_PROCESSOR } = initializeOTEL();
  await call({})({ messages: [{ role: 'user', content: 'hi' }] });
  await DEFAULT_LANGSMITH_SPAN_PROCESSOR.shutdown();
} catch (error) {
  console.error(`this version has no OpenTelemetry mode: ${error.message}`);
}
process.exit(0);
