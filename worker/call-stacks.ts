import { readFile } from 'node:fs/promises';

/**
 * What the SDK's hook asks the sandbox for at every promise, by the text of a function: the run that it belongs to, which
 * tells an unhandled rejection's run too, and the constructor of errors, for a stack. The second gets one without stacks;
 * then the hook keeps nothing. Whatever else is asked for, also by a later SDK, is what it was. On one line, before the
 * bundle's first: no place in its source map moves.
 */
const WITHOUT_CALL_STACKS = `(() => {
  const make = Function;
  const Stackless = class {};
  const stackless = () => Stackless;
  const activator = () => globalThis.__TEMPORAL_ACTIVATOR__;
  const answer = function Function(...code) {
    if (code.length === 1 && code[0] === 'return globalThis.Error') return stackless;
    if (code.length === 1 && code[0] === 'return globalThis.__TEMPORAL_ACTIVATOR__') return activator;
    return make(...code);
  };
  Object.defineProperty(Promise, 'constructor', { value: answer });
})();`.replaceAll(/\n\s*/g, ' ');

/**
 * The bundle for a worker. With call stacks the SDK writes down, for every promise of every run, where it was made, with
 * its place in the sources: a quarter of what a step costs the workflow thread, for the `__stack_trace` query (the page
 * Call Stack of the Temporal Web UI) alone. Failures have their stacks either way. See docs/decisions.
 */
export async function bundleOption(codePath: string, { callStacks }: { readonly callStacks: boolean }): Promise<{ codePath: string } | { code: string }> {
  if (callStacks) return { codePath };
  return { code: `${WITHOUT_CALL_STACKS} ${await readFile(codePath, 'utf8')}` };
}
