import { readTraces } from '../../test/support/otlp-capture.ts';

import type { IncomingHttpHeaders } from 'node:http';

export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a request is by its names: where it goes, how it is let in, what its fields are called. No value of a body is kept. */
export interface RequestSummary {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
  /** Headers that let it in or say where it belongs; of `authorization` the scheme alone. */
  readonly headers: Readonly<Record<string, string>>;
  /** Paths of fields, or attributes of spans and of resources. */
  readonly fields: readonly string[];
}

const TELLING = /^(authorization|x-api-key|wandb-api-key|langsmith-project|x-bt-parent|x-langfuse-ingestion-version|helicone-.*)$/;

export function summaryOf({ method, path, headers, body }: Recorded): RequestSummary {
  const contentType = (headers['content-type'] ?? '').split(';')[0] ?? '';
  const telling = Object.entries(headers).flatMap(([name, value]) => (TELLING.test(name) ? [[name, schemeOf(name, String(value))]] : []));
  return {
    method,
    path: path.replace(/[0-9a-f-]{36}/g, '{id}'),
    contentType,
    headers: Object.fromEntries(telling.toSorted()),
    fields: fieldsOf(contentType, body),
  };
}

function schemeOf(name: string, value: string): string {
  if (name === 'authorization') return value.split(' ')[0] ?? '';
  return name.includes('key') || name.startsWith('helicone') ? '' : value;
}

function fieldsOf(contentType: string, body: Buffer): readonly string[] {
  if (body.length === 0) return [];
  if (contentType === 'application/x-protobuf')
    return sorted(
      readTraces(body).flatMap(({ attributes, resource }) => [...Object.keys(attributes), ...Object.keys(resource).map((name) => `resource ${name}`)]),
    );
  const text = body.toString('utf8');
  if (contentType === 'multipart/form-data') {
    const parts = text.split(/\r?\n--/).flatMap((part) => {
      const name = /name="([a-z]+)\.[^".]+(\.[a-z]+)?"/.exec(part);
      const json = /\{[\s\S]*\}/.exec(part)?.[0];
      return name ? pathsOf(json ? parsed(json) : null, `${name[1]}${name[2] ?? ''}`) : [];
    });
    return sorted(parts);
  }
  const json = parsed(text);
  const spans = (json as { resourceSpans?: unknown[] } | null)?.resourceSpans;
  return sorted(spans ? attributesOf(spans) : pathsOf(json, ''));
}

interface JsonSpans {
  readonly resource?: { readonly attributes?: readonly { readonly key: string }[] };
  readonly scopeSpans?: readonly { readonly spans?: readonly { readonly attributes?: readonly { readonly key: string }[] }[] }[];
}

function attributesOf(resourceSpans: readonly unknown[]): string[] {
  return (resourceSpans as readonly JsonSpans[]).flatMap(({ resource, scopeSpans = [] }) => [
    ...(resource?.attributes ?? []).map(({ key }) => `resource ${key}`),
    ...scopeSpans.flatMap(({ spans = [] }) => spans.flatMap(({ attributes = [] }) => attributes.map(({ key }) => key))),
  ]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (value === null || typeof value !== 'object') return path === '' ? [] : [path];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, path === '' ? key : `${path}.${key}`));
}

/** Without names of the machine that recorded it. */
function sorted(fields: readonly string[]): string[] {
  return [...new Set(fields)].filter((field) => !/resource (process|host|os|telemetry)\./.test(field)).toSorted();
}
