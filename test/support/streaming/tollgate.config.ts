import { defineConfig } from 'tollgate';

const { TEST_PROVIDER_URL: baseUrl = 'http://127.0.0.1:9/v1' } = process.env;

/** The simulated provider as a compatible server that streams chat completions, and is left when it is silent for a while. */
export default defineConfig({
  tasks: [],
  endpoints: { streamed: { baseUrl, provider: 'openai', api: 'chat', stream: true, streamIdleTimeoutMs: 1_500 } },
  models: [{ model: 'gpt-5-mini', endpoint: 'streamed' }],
});
