import type { Client } from '@temporalio/client';
import { createAgentClient, connectTemporal, type AgentClient } from 'tollgate/client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask } from '../../domain/task/define.ts';

const task = defineTask({
  name: 'greet',
  prompt: 'Greet.',
  models: ['gpt-5-nano'],
  maxOutputTokens: 64,
  budgetUsd: '0.10',
  input: z.strictObject({ message: z.string(), language: z.enum(['en', 'de']).optional() }),
});

/** A client whose Temporal is never to be asked. */
function offline(): AgentClient {
  const refuse = () => {
    throw new Error('Temporal was asked');
  };
  return createAgentClient({
    client: { workflow: { start: refuse, getHandle: refuse }, withDeadline: refuse } as unknown as Client,
    identity: { name: 'alice', roles: [] },
  });
}

test('the input is typed by the task, and checked again before anything is sent', async () => {
  const client = offline();
  // @ts-expect-error: the task asks for a text.
  await expect(client.start(task, { message: 1 })).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('input.message') });
  // @ts-expect-error: the task speaks two languages.
  await expect(client.start(task, { message: 'hi', language: 'fr' })).rejects.toMatchObject({ type: 'invalidInput' });
  await expect(client.start('by-name', {})).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('message') });
});

test('what needs a store says so', async () => {
  const client = offline();
  await expect(client.list()).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('store') });
  await expect(client.pendingApprovals()).rejects.toMatchObject({ type: 'invalidInput' });
  await expect(client.withdraw('gate')).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('agentRunId') });
});

test('a server that is not there fails within five seconds, and says what to set', async () => {
  const startedMs = Date.now();
  await expect(connectTemporal({ address: '127.0.0.1:1', namespace: 'default' })).rejects.toMatchObject({
    type: 'temporalUnavailable',
    message: expect.stringMatching(/127\.0\.0\.1:1 .*TEMPORAL_ADDRESS/),
  });
  expect(Date.now() - startedMs).toBeLessThan(5_000);
});
