import { registerHooks } from 'node:module';

const STORE = '/adapters/stores/open-store.ts';

/** Loaded into a worker before everything else: its attempts, tool calls and transcripts are then nowhere but in its memory. For benchmarks; no setting does this. */
registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith(STORE)) return nextLoad(url, context);
    const journal = new URL('./memory-journal.ts', import.meta.url).href;
    const source = `
      import { openStore as open } from ${JSON.stringify(`${url}?real`)};
      import { withoutJournal } from ${JSON.stringify(journal)};
      export * from ${JSON.stringify(`${url}?real`)};
      export const openStore = async (settings) => withoutJournal(await open(settings));`;
    return { format: 'module', source, shortCircuit: true };
  },
});
