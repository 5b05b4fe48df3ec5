// What Phoenix's own client sends as an annotation of a span.
import { createClient } from '@arizeai/phoenix-client';
import { addSpanAnnotation } from '@arizeai/phoenix-client/spans';

const [url] = process.argv.slice(2);
const client = createClient({ options: { baseUrl: url, headers: { Authorization: 'Bearer key' } } });
const spanAnnotation = {
  spanId: 'b'.repeat(16),
  name: 'user_feedback',
  annotatorKind: 'HUMAN',
  label: 'helpful',
  score: 1,
  explanation: 'good',
  identifier: 'f1',
  metadata: {},
};
await addSpanAnnotation({ client, spanAnnotation, sync: true }).catch(() => undefined);
process.exit(0);
