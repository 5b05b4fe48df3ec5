import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS, type Mutant } from '../test/support/mutants.ts';

/**
 * Takes each safeguard of test/support/mutants.ts out of a copy of the project, one at a time, and runs the tests that
 * must notice. Exit code 1 where one did not. `node scripts/mutants.ts [part of a name]`
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv[2] ?? '';

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-mutant-'));
  const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' });
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function apply(folder: string, { file, safeguard, without }: Mutant): void {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(safeguard).length !== 2) throw new Error(`${file} should have exactly one place that reads: ${safeguard}`);
  writeFileSync(
    path,
    text.replace(safeguard, () => without),
  );
}

/** The names of the tests that failed; null where the run told nothing. */
function failures(folder: string, tests: readonly string[]): string[] | null {
  const report = join(folder, 'report.json');
  spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...tests, '--reporter=json', `--outputFile=${report}`], {
    cwd: folder,
    stdio: 'ignore',
  });
  if (!existsSync(report)) return null;
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as { testResults: { assertionResults: { status: string; title: string }[] }[] };
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  return results.length === 0 ? null : results.filter(({ status }) => status === 'failed').map(({ title }) => title);
}

let survived = 0;
for (const mutant of MUTANTS.filter(({ name }) => name.includes(wanted))) {
  const folder = copyProject();
  try {
    apply(folder, mutant);
    const failed = failures(folder, mutant.tests);
    if (!failed?.length) survived += 1;
    const verdict = failed === null ? 'NO TEST RAN' : failed.length === 0 ? 'NOT NOTICED' : 'noticed by';
    process.stdout.write(`${mutant.name}: ${verdict}\n${(failed ?? []).map((title) => `  - ${title}\n`).join('')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
process.exit(survived === 0 ? 0 : 1);
