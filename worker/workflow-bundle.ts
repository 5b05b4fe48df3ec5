import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const PAYLOAD_CONVERTER_PATH = join(ROOT, 'workflows', 'payload-converter.ts');
/** What workflow code is made of. */
const SOURCES = ['contracts', 'domain', 'workflows'];

/**
 * The workflow code as one bundle, built once for each state of its sources and kept in `cacheFolder`: building takes
 * seconds and 290 MB, reading does not. Answers the path of the file.
 */
export async function workflowBundle(cacheFolder: string): Promise<string> {
  const path = join(cacheFolder, `workflows-${sourceDigest()}.js`);
  if (existsSync(path)) return path;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    payloadConverterPath: PAYLOAD_CONVERTER_PATH,
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error },
  });
  mkdirSync(cacheFolder, { recursive: true });
  // Two workers may build at once: whoever renames last wins, with the same bytes.
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, code);
  renameSync(temporary, path);
  return path;
}

function sourceDigest(): string {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  // Not the whole file: a release that leaves the workflow code alone is the same version of it.
  const hash = createHash('sha256').update(dependencies['@temporalio/worker'] ?? '');
  for (const folder of SOURCES)
    for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort())
      hash.update(file).update(readFileSync(join(ROOT, folder, file)));
  return hash.digest('hex').slice(0, 16);
}
