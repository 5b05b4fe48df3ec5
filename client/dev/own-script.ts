import { fileURLToPath } from 'node:url';

/** The clone runs its TypeScript; the package has JavaScript only, in the same folders. */
export const IS_CLONE = import.meta.url.endsWith('.ts');

/** Node's options for a process of ours: in the clone, `import … from 'tollgate'` leads to the sources. */
export const NODE_OPTIONS: readonly string[] = IS_CLONE ? ['--conditions=tollgate-source'] : [];

/** The path of a script of this clone or package, named from its root without an ending: `worker/main`. */
export function ownScript(name: string): string {
  return fileURLToPath(new URL(`../../${name}${IS_CLONE ? '.ts' : '.js'}`, import.meta.url));
}
