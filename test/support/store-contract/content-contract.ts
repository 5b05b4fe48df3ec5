import { expect, test } from 'vitest';
import type { AttemptId, ContentDigest } from '../../../contracts/ids.ts';
import type { ModelReply } from '../../../contracts/model.ts';
import type { Subject } from '../store-contract.ts';
import { reply, reserve, runKey, startRun } from './fixtures.ts';

export function describeContentContract(subject: Subject): void {
  test('content is found under the SHA-256 of its UTF-8 bytes', async () => {
    const { store } = subject();
    const digest = await store.putContent('naïve\n\u0000 Grüße 👋');
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await store.putContent('naïve\n\u0000 Grüße 👋')).toBe(digest);
    expect(await store.getContent(digest)).toBe('naïve\n\u0000 Grüße 👋');
    expect(await store.getContent('0'.repeat(64) as ContentDigest)).toBeNull();
    expect(await store.putContent('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('a transcript is read from the start to the head, by the head that each reply was asked from', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await store.putNode(key, 'input', { role: 'user', text: 'Where is my order?' });
    const first = await reserve(store, key, { head: { attemptId: null, nodeIds: ['input'] } });
    const asked: ModelReply = { ...reply('Let me look.'), toolCalls: [{ toolCallId: 'c1' as never, name: 'find_order', argumentsText: '{}' }] };
    await store.reportAttempt(key, first, { outcome: { type: 'reply' }, reply: asked });
    for (const name of ['a', 'b'])
      await store.putNode(key, `${first}:${name}`, { role: 'tool', toolCallId: 'c1' as never, name: 'find_order', text: name, isError: false });
    const head = { attemptId: first, nodeIds: [`${first}:a`, `${first}:b`] };
    const second = await reserve(store, key, { step: 2, head });
    await store.reportAttempt(key, second, { outcome: { type: 'reply' }, reply: reply('It is on its way.') });

    const upToTools = await store.loadTranscript(key, head);
    expect(upToTools.type === 'transcript' && upToTools.messages.map((message) => ('text' in message ? message.text : ''))).toEqual([
      'Where is my order?',
      'Let me look.',
      'a',
      'b',
    ]);
    const start = { attemptId: null, nodeIds: ['input'] };
    const texts = (loaded: Awaited<ReturnType<typeof store.loadTranscript>>) =>
      loaded.type === 'transcript' ? { isTail: loaded.isTail, texts: loaded.messages.map((message) => message.text) } : loaded;
    const newest = { attemptId: second, nodeIds: [] };
    expect(texts(await store.loadTranscript(key, newest, head))).toEqual({ isTail: true, texts: ['It is on its way.'] });
    expect(texts(await store.loadTranscript(key, newest, start))).toEqual({ isTail: true, texts: ['Let me look.', 'a', 'b', 'It is on its way.'] });
    expect(texts(await store.loadTranscript(key, head, head))).toEqual({ texts: ['Where is my order?', 'Let me look.', 'a', 'b'] });
    const other = { attemptId: first, nodeIds: [`${first}:b`] };
    expect(texts(await store.loadTranscript(key, head, other))).toEqual({ texts: ['Where is my order?', 'Let me look.', 'a', 'b'] });
    const whole = await store.loadTranscript(key, newest);
    expect(whole.type === 'transcript' && whole.messages.at(-1)).toEqual({ role: 'assistant', text: 'It is on its way.', toolCalls: [] });
    expect(whole.type === 'transcript' && whole.messages[1]).toEqual({ role: 'assistant', text: 'Let me look.', toolCalls: asked.toolCalls });
  });

  test('items that a provider wants back are in the transcript together with who made them', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    const providerItems = [{ type: 'reasoning', encrypted_content: 'x' }];
    await store.reportAttempt(key, attemptId, {
      outcome: { type: 'reply' },
      reply: { ...reply('ok'), providerItems, providerItemsFor: 'responses:gpt-5-mini' },
    });
    const loaded = await store.loadTranscript(key, { attemptId, nodeIds: [] });
    expect(loaded).toEqual({
      type: 'transcript',
      messages: [{ role: 'assistant', text: 'ok', toolCalls: [], providerItems, providerItemsFor: 'responses:gpt-5-mini' }],
    });
  });

  test('the late reply of a step that went on without it is not in the transcript', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const frozen = await reserve(store, key);
    const accepted = await reserve(store, key, { ordinal: 2 });
    await store.reportAttempt(key, accepted, { outcome: { type: 'reply' }, reply: reply('accepted') });
    await store.reportAttempt(key, frozen, { outcome: { type: 'reply' }, reply: reply('late') });
    const loaded = await store.loadTranscript(key, { attemptId: accepted, nodeIds: [] });
    expect(loaded.type === 'transcript' && loaded.messages).toEqual([{ role: 'assistant', text: 'accepted', toolCalls: [] }]);
  });

  test('a transcript with a hole says what is missing', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const unanswered = await reserve(store, key);
    const missing = async (head: { attemptId: AttemptId | null; nodeIds: string[] }) => {
      const loaded = await store.loadTranscript(key, head);
      return loaded.type === 'missing' ? loaded.what : loaded.type;
    };
    expect(await missing({ attemptId: unanswered, nodeIds: [] })).toContain(unanswered);
    expect(await missing({ attemptId: 'lost' as AttemptId, nodeIds: [] })).toContain('lost');
    expect(await missing({ attemptId: null, nodeIds: ['gone'] })).toContain('gone');
    expect(await store.loadTranscript(key, { attemptId: null, nodeIds: [] })).toEqual({ type: 'transcript', messages: [] });
  });

  test('a node of another run does not answer, and the first content of a node stays', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    await store.putNode(key, 'n', { role: 'user', text: 'first' });
    await store.putNode(key, 'n', { role: 'user', text: 'second' });
    const head = { attemptId: null, nodeIds: ['n'] };
    expect(await store.loadTranscript(key, head)).toMatchObject({ messages: [{ text: 'first' }] });
    expect((await store.loadTranscript(other, head)).type).toBe('missing');
    expect((await store.loadTranscript(runKey(), head)).type).toBe('missing');
  });

  test('a transcript that leads back to itself is refused instead of read for ever', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = 'circle' as AttemptId;
    await reserve(store, key, { attemptId, head: { attemptId, nodeIds: [] } });
    await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('x') });
    await expect(store.loadTranscript(key, { attemptId, nodeIds: [] })).rejects.toMatchObject({ type: 'invariantBroken' });
  });
}
