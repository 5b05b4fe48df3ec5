import { dirname, join, normalize } from 'node:path';
import { LAYERS } from './layer-table.ts';

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:([^'"]*?)\s+from\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** What is wrong with a file's imports, by the layer table: one line each. */
export function importProblems(file: string, text: string): string[] {
  const layer = LAYERS.find(({ name }) => file.startsWith(name));
  if (!layer) return [];
  return importsOf(text).flatMap(({ target, isType }) => {
    if (!target.startsWith('.')) {
      const packageName = target.startsWith('node:')
        ? 'node:*'
        : target
            .split('/')
            .slice(0, target.startsWith('@') ? 2 : 1)
            .join('/');
      const isAllowed = layer.packages.includes(packageName) || (isType && layer.types.includes(packageName));
      return isAllowed ? [] : [`${file} imports ${target}; ${layer.name} may import ${layer.says}`];
    }
    const path = normalize(join(dirname(file), target));
    const isOwn = path.startsWith(layer.name) && !layer.name.endsWith('.ts');
    const isAllowed = isOwn || [...layer.values, ...(isType ? layer.types : [])].some((allowed) => path.startsWith(allowed));
    return isAllowed ? [] : [`${file} imports ${isType ? 'types of ' : ''}${path}; ${layer.name} may import ${layer.says}`];
  });
}

function importsOf(text: string): { target: string; isType: boolean }[] {
  const fixed = [...text.matchAll(IMPORT)].map((match) => ({ target: match[3] ?? '', isType: match[1] !== undefined || isOnlyTypes(match[2]) }));
  return [...fixed, ...[...text.matchAll(DYNAMIC)].map((match) => ({ target: match[1] ?? '', isType: false }))];
}

/** `import { type A, type B }` leaves nothing to import at run time. */
function isOnlyTypes(names: string | undefined): boolean {
  const inner = /^\{([\s\S]*)\}$/.exec(names?.trim() ?? '')?.[1];
  const parts =
    inner
      ?.split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '') ?? [];
  return parts.length > 0 && parts.every((part) => part.startsWith('type '));
}
