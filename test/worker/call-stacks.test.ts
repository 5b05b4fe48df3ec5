import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import vm from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleOption } from '../../worker/call-stacks.ts';

let folder: string;
let codePath: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  codePath = join(folder, 'bundle.js');
  writeFileSync(codePath, 'globalThis.promise = Promise.resolve(1);\nglobalThis.line = new Error("here").stack;\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the bundle is what it was where call stacks are kept', async () => {
  expect(await bundleOption(codePath, { callStacks: true })).toEqual({ codePath });
});

test('without call stacks the sandbox answers the hook of the SDK alone differently, and no line of the bundle moves', async () => {
  const option = await bundleOption(codePath, { callStacks: false });
  const context = vm.createContext({ __TEMPORAL_ACTIVATOR__: 'the run' });
  vm.runInContext('code' in option ? option.code : '', context, { filename: 'bundle.js' });
  // As the SDK's hook asks, by a promise of the sandbox.
  const ask = (context.promise as { constructor: { constructor: FunctionConstructor } }).constructor.constructor;
  expect(ask('return globalThis.__TEMPORAL_ACTIVATOR__')()).toBe('the run');
  const Stackless = ask('return globalThis.Error')() as new () => Error;
  expect(new Stackless().stack).toBeUndefined();
  expect(ask('a', 'b', 'return a + b')(1, 2)).toBe(3);
  expect(vm.runInContext('new Error("mine") instanceof Error && new Error("mine").stack.includes("mine")', context)).toBe(true);
  expect(vm.runInContext('promise.constructor === Promise && Promise instanceof Function && (() => {}).constructor === Function', context)).toBe(true);
  expect(context.line).toMatch(/bundle\.js:2:/);
});
