import { connectTemporal, createAgentClient } from 'tollgate/client';
import { triage } from './tasks.ts';

const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
const { client: temporal, connection } = await connectTemporal({ address, namespace: 'default' });
const client = createAgentClient({ client: temporal, identity: { name: 'backend', roles: [] } });

// The input is typed by the task: another language, or no message, does not compile.
const run = await client.start(triage, { message: process.argv[2] ?? 'My parcel is lost!' });
// The output too. Any process may wait for it, now or later, by the run's id.
const outcome = await client.result(run.agentRunId, triage);
if (outcome.status === 'completed') console.log(`topic ${outcome.output.topic}${outcome.output.urgent ? ', urgent' : ''}`);
else console.log(`${outcome.status}: ${outcome.message}`);
await connection.close();
