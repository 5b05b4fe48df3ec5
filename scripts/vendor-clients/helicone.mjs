// What Helicone's own logger sends for one call.
import { HeliconeManualLogger } from '@helicone/helpers';

const [url] = process.argv.slice(2);
const logger = new HeliconeManualLogger({ apiKey: 'sk-helicone', loggingEndpoint: `${url}/custom/v1/log` });
const headers = { 'Helicone-Session-Id': 'run-1', 'Helicone-User-Id': 'alice', 'Helicone-Property-Tenant': 'acme' };
await logger.logRequest(
  { model: 'gpt-4o-mini', messages: [] },
  async (recorder) => recorder.appendResults({ model: 'gpt-4o-mini', usage: { prompt_tokens: 1200, completion_tokens: 300 } }),
  headers,
);
process.exit(0);
