import { compareSettings, type Rounds } from './support/compare-settings.ts';

const BARE = { NODE_OPTIONS: `--import=${new URL('./support/without-detectors.mjs', import.meta.url).href}` };
const OPEN = { TOLLGATE_ENCRYPT_STORE: '0', TOLLGATE_ENCRYPT_HISTORY: '0' };

/** CPU of a step and bytes of history with what protects data on and off. */
export function benchPrivacy(rounds: Rounds = {}): Promise<string> {
  return compareSettings(
    {
      nothing: { ...BARE, ...OPEN },
      redaction: OPEN,
      'redaction, store sealed': { TOLLGATE_ENCRYPT_STORE: '1', TOLLGATE_ENCRYPT_HISTORY: '0' },
      'redaction, store and history sealed': { TOLLGATE_ENCRYPT_STORE: '1', TOLLGATE_ENCRYPT_HISTORY: '1' },
    },
    rounds,
  );
}
