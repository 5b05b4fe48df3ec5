import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPresidioDetector } from '../../adapters/redaction/presidio.ts';
import { type PresidioServer, presidioPython, startPresidio } from '../support/presidio.ts';

const python = presidioPython();
if ('missing' in python) process.stdout.write(`skipped: a real Presidio analyzer, because ${python.missing}\n`);
const isMissing = 'missing' in python;

let server: PresidioServer | undefined;
beforeAll(async () => {
  if ('python' in python) server = await startPresidio(python.python, { PERSON: ['Ann Example'], LOCATION: ['Exampletown'] });
});
afterAll(() => server?.stop());

const detector = (entities = ['PERSON', 'LOCATION'], language = 'en') =>
  createPresidioDetector({ url: server?.url ?? '', language, entities, timeoutMs: 20_000 });
const find = async (text: string, entities?: readonly string[]) =>
  (await detector(entities as string[]).find(text, { regions: [] }, new AbortController().signal)).map(
    ({ type, start, end }) => `${type} ${text.slice(start, end)}`,
  );

test.skipIf(isMissing)('a real Presidio gives names and places, at the right places behind emojis', async () => {
  expect(await find('😀 Ann Example 😀 of Exampletown, a@b.example')).toEqual(expect.arrayContaining(['person Ann Example', 'location Exampletown']));
  expect(await find('nobody from nowhere, a@b.example')).toEqual([]);
});

test.skipIf(isMissing)('it gives what else it is asked for', async () => {
  expect(await find('my card is 4111 1111 1111 1111', ['CREDIT_CARD'])).toEqual(['creditCard 4111 1111 1111 1111']);
});

test.skipIf(isMissing)('asked for what it has no recogniser or no language for, it fails instead of finding nothing', async () => {
  await expect(find('Ann Example', ['NO_SUCH_ENTITY'])).rejects.toThrow('Presidio answered 500');
  await expect(detector(['PERSON'], 'xx').find('Ann Example', { regions: [] }, new AbortController().signal)).rejects.toThrow('Presidio answered 500');
});
