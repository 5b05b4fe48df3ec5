import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { findPackageJSON, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyPluginAsync } from 'fastify';
import { invariant } from '../../contracts/failures.ts';
import { PROBLEM_TYPE, problem } from './problem.ts';

const PAGE_FOLDER = fileURLToPath(new URL('../inbox/', import.meta.url));
const ASSETS = '/inbox/assets';

/** The packages' files that a browser may have, by the name under which the page's modules import them. */
const PACKAGES: Readonly<Record<string, { readonly from: string; readonly file: string }>> = {
  preact: { from: 'preact', file: 'dist/preact.mjs' },
  'preact/hooks': { from: 'preact', file: 'hooks/dist/hooks.mjs' },
  htm: { from: 'htm', file: 'dist/htm.module.js' },
};

const IMPORT_MAP = JSON.stringify({ imports: Object.fromEntries(Object.keys(PACKAGES).map((name) => [name, `${ASSETS}/${packageAsset(name)}`])) });

/**
 * What the page may do: run our modules and this one import map, style itself by our sheet, and speak to this very server.
 * No text becomes markup: the page asks the browser to refuse even its own attempts.
 */
export const INBOX_CSP = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${createHash('sha256').update(IMPORT_MAP, 'utf8').digest('base64')}'`,
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

interface Asset {
  readonly type: string;
  readonly body: string;
  readonly etag: string;
}

/** The page for approvers at `/inbox/`. It is public: what it shows, it asks of `/v1` in the name of whoever looks at it. */
export function inboxRoutes(): FastifyPluginAsync {
  const assets = loadAssets();
  const page = pageText();
  return async (app) => {
    const open = { config: { scope: 'public' }, schema: { hide: true } } as const;
    for (const path of ['/', '/inbox']) app.get(path, open, async (_request, reply) => reply.redirect('/inbox/'));
    app.get('/inbox/*', open, async (_request, reply) => reply.header('content-security-policy', INBOX_CSP).type('text/html; charset=utf-8').send(page));
    app.get<{ Params: { '*': string } }>(`${ASSETS}/*`, open, async (request, reply) => {
      const asset = assets.get(request.params['*']);
      if (!asset) {
        const answer = problem('notFound', 'The page has no such file.');
        return reply.code(404).type(PROBLEM_TYPE).send(JSON.stringify(answer));
      }
      reply.header('cache-control', 'no-cache').header('etag', asset.etag);
      if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
      return reply.type(asset.type).send(asset.body);
    });
  };
}

/** Everything that is served, read once: whoever asks names one of these, never a path. */
function loadAssets(): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  const add = (name: string, type: string, body: string) =>
    assets.set(name, { type, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` });
  const script = 'text/javascript; charset=utf-8';
  for (const name of readdirSync(PAGE_FOLDER)) {
    const text = () => readFileSync(join(PAGE_FOLDER, name), 'utf8');
    if (name.endsWith('.css')) add(name, 'text/css; charset=utf-8', text());
    else if (name.endsWith('.svg')) add(name, 'image/svg+xml', text());
    else if (name.endsWith('.js')) add(name, script, text());
    // In a clone there is nothing but the sources. They import each other by these names.
    else if (name.endsWith('.ts') && !name.endsWith('.d.ts')) add(name, script, withoutTypes(text()));
  }
  const main = assets.get('main.js') ?? assets.get('main.ts');
  if (main) assets.set('main.js', main);
  for (const [name, { from, file }] of Object.entries(PACKAGES)) add(packageAsset(name), script, readFileSync(join(packageFolder(from), file), 'utf8'));
  return assets;
}

/** Node warns at its first use that this is experimental, which is no news for whoever reads the log of a clone. */
function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function pageText(): string {
  return readFileSync(join(PAGE_FOLDER, 'index.html'), 'utf8').replace('<!-- import map -->', () => `<script type="importmap">${IMPORT_MAP}</script>`);
}

function packageAsset(name: string): string {
  return `${name.replace('/', '-')}.mjs`;
}

function packageFolder(name: string): string {
  const path = findPackageJSON(name, import.meta.url);
  invariant(path, `the package ${name} is installed`);
  return dirname(path);
}
