/** What an attribute may be. Undefined ones are left out. */
export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** A finished span, as every sink gets it. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'client';
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly atMs: number; readonly attributes: Attributes }[];
  /** `unset`: neither good nor bad (a wait that ended without an answer, say). */
  readonly status: { readonly code: 'ok' | 'error' | 'unset'; readonly message?: string };
}
