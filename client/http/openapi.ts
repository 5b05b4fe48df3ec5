import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { invariant } from '../../contracts/failures.ts';
import { schemaRegistry } from './schemas.ts';

const DESCRIPTION = `Starts, reads and steers agent runs. Errors are problem documents (RFC 9457) whose failureType docs/failures.md explains.
Send a key as "Authorization: Bearer tg_…"; keys carry the scopes start, read, decide and repair.`;

/** Collects the routes that are registered after it, and serves them as an OpenAPI 3.1 document. */
export async function registerOpenapi(app: FastifyInstance): Promise<void> {
  const packagePath = findPackageJSON(import.meta.url);
  invariant(packagePath, 'Tollgate is a package');
  const { version } = JSON.parse(readFileSync(packagePath, 'utf8')) as { version: string };
  const transformObject = createJsonSchemaTransformObject({ schemaRegistry });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tollgate', version, description: DESCRIPTION },
      servers: [{ url: '/' }],
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: (document) => withoutUnusedSchemas(transformObject(document) as OpenapiDocument) as ReturnType<typeof transformObject>,
  });
  const document = z.looseObject({ openapi: z.string() });
  app.get('/v1/openapi.json', { config: { scope: 'public' }, schema: { hide: true, response: { 200: document } } }, async (_request, reply) =>
    reply.type('application/json').send(openapiText(app)),
  );
}

const texts = new WeakMap<FastifyInstance, string>();

/** The document of a server that is ready. */
export function openapiText(app: FastifyInstance): string {
  const text = texts.get(app) ?? JSON.stringify(app.swagger(), null, 2);
  texts.set(app, text);
  return text;
}

interface OpenapiDocument {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

/** Each schema comes as input and as output; only those that something refers to stay. */
function withoutUnusedSchemas(document: OpenapiDocument): OpenapiDocument {
  const schemas = document.components?.schemas ?? {};
  const used = new Set<string>();
  const follow = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      follow(schemas[name] ?? null);
    }
  };
  follow({ ...document, components: { ...document.components, schemas: {} } });
  const left = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...document, components: { ...document.components, schemas: left } };
}
