import { TollgateError } from '../../contracts/failures.ts';
import { loadSettings } from '../../config/load.ts';
import { resolveTemporalCli } from './temporal-cli.ts';

/** Part of the set-up: gets the Temporal dev server before anything needs it. */
const note = (line: string) => process.stdout.write(`${line}\n`);
try {
  const settings = loadSettings();
  if (!settings.temporal.isExternal) {
    const { path, source } = await resolveTemporalCli({ configuredPath: settings.temporalCliPath, onProgress: note });
    if (source === 'download' || source === 'go build') note(`The Temporal dev server is at ${path}.`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof TollgateError ? error.message : String(error)}\n`);
  process.exit(2);
}
