import { compareSettings, type Rounds } from './support/compare-settings.ts';

const IN_MEMORY = { NODE_OPTIONS: `--import=${new URL('./support/without-journal.mjs', import.meta.url).href}` };

/** What the journal costs a step: attempts, tool calls and transcript written through to the disk, beside the same kept in memory alone. */
export function benchJournal(rounds: Rounds = {}): Promise<string> {
  return compareSettings({ 'without journal': IN_MEMORY, journal: {} }, rounds);
}
