import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { gunzipSync } from 'node:zlib';

export type CapturedValue = string | number | boolean | readonly string[];

export interface CapturedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** As on the wire: 1 internal, 3 client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, CapturedValue>>;
  readonly events: readonly string[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly resource: Readonly<Record<string, CapturedValue>>;
}

export interface CapturedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A server that takes what a sink is sent, and reads OTLP from the bytes of the wire, without the library that wrote them. */
export class OtlpCapture {
  readonly requests: CapturedRequest[] = [];
  /** What it answers; 200 with an empty answer where nothing is said. */
  answer: (request: CapturedRequest) => { readonly status: number; readonly headers?: Record<string, string> } = () => ({ status: 200 });
  #server: Server | null = null;
  url = '';

  async open(port = 0): Promise<this> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const raw = Buffer.concat(parts);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
        const captured = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
        const { status, headers = {} } = this.answer(captured);
        if (status < 300) this.requests.push(captured);
        response.writeHead(status, { 'content-type': 'application/x-protobuf', ...headers }).end();
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    return this;
  }

  /** Every span of every request, also one that was sent twice. */
  get spans(): CapturedSpan[] {
    return this.requests.filter(({ headers }) => headers['content-type'] === 'application/x-protobuf').flatMap(({ body }) => readTraces(body));
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

type Field = bigint | Buffer;
type Fields = ReadonlyMap<number, readonly Field[]>;

/** The fields of a protobuf message by number. */
function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    let value: Field;
    if ((key & 7) === 0) value = varint();
    else {
      const length = (key & 7) === 1 ? 8 : (key & 7) === 5 ? 4 : Number(varint());
      if (at + length > bytes.length) throw new Error('a protobuf field is longer than its message');
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const NONE = Buffer.alloc(0);
const bytesAt = (fields: Fields, number: number): Buffer => (fields.get(number)?.[0] as Buffer | undefined) ?? NONE;
const allAt = (fields: Fields, number: number): Fields[] => (fields.get(number) ?? []).map((value) => fieldsOf(value as Buffer));
const textAt = (fields: Fields, number: number): string => bytesAt(fields, number).toString('utf8');
const timeAt = (fields: Fields, number: number): number => Number(bytesAt(fields, number).readBigUInt64LE()) / 1e6;

function readValue(fields: Fields): CapturedValue {
  if (fields.has(1)) return textAt(fields, 1);
  if (fields.has(2)) return fields.get(2)?.[0] === 1n;
  if (fields.has(3)) return Number(BigInt.asIntN(64, fields.get(3)?.[0] as bigint));
  if (fields.has(4)) return bytesAt(fields, 4).readDoubleLE();
  return allAt(fieldsOf(bytesAt(fields, 5)), 1).map((value) => String(readValue(value)));
}

function attributesOf(pairs: readonly Fields[]): Record<string, CapturedValue> {
  return Object.fromEntries(pairs.map((pair) => [textAt(pair, 1), readValue(fieldsOf(bytesAt(pair, 2)))]));
}

export function readTraces(body: Buffer): CapturedSpan[] {
  return allAt(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(allAt(fieldsOf(bytesAt(resourceSpans, 1)), 1));
    return allAt(resourceSpans, 2).flatMap((scope) =>
      allAt(scope, 2).map((span) => ({
        traceId: bytesAt(span, 1).toString('hex'),
        spanId: bytesAt(span, 2).toString('hex'),
        parentSpanId: bytesAt(span, 4).length > 0 ? bytesAt(span, 4).toString('hex') : null,
        name: textAt(span, 5),
        kind: Number(span.get(6)?.[0] ?? 0n),
        startMs: timeAt(span, 7),
        endMs: timeAt(span, 8),
        attributes: attributesOf(allAt(span, 9)),
        events: allAt(span, 11).map((event) => textAt(event, 2)),
        status: Number(fieldsOf(bytesAt(span, 15)).get(3)?.[0] ?? 0n),
        resource,
      })),
    );
  });
}

/** What is wrong with a trace: an orphan, more than one root, a time that runs backwards. */
export function traceProblems(spans: readonly CapturedSpan[], root: string | null = null): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === root);
  return [
    ...(roots.length === 1 ? [] : [`${roots.length} roots: ${roots.map(({ name }) => name).join(', ')}`]),
    ...(new Set(spans.map(({ traceId }) => traceId)).size === 1 ? [] : ['more than one trace']),
    ...spans.filter(({ parentSpanId }) => parentSpanId !== root && !ids.has(parentSpanId ?? '')).map(({ name }) => `orphan ${name}`),
    ...spans.filter(({ startMs, endMs }) => endMs < startMs).map(({ name }) => `${name} ends before it begins`),
    ...spans.filter(({ spanId }, index) => spans.findIndex((other) => other.spanId === spanId) !== index).map(({ name }) => `${name} twice`),
  ];
}

/** The sum of an attribute over spans, in whole numbers. */
export function sumOf(spans: readonly CapturedSpan[], attribute: string): number {
  return spans.reduce((sum, { attributes }) => sum + Number(attributes[attribute] ?? 0), 0);
}
