export type Place =
  | { readonly type: 'inbox'; readonly approvalId: string | null }
  | { readonly type: 'runs' }
  | { readonly type: 'run'; readonly agentRunId: string }
  | { readonly type: 'overview' }
  | { readonly type: 'unknown' };

/** The place that a path of the page means. */
export function placeOf(path: string): Place {
  const [, , kind = '', id = '', ...rest] = path.split('/');
  if (rest.some(Boolean)) return { type: 'unknown' };
  if (kind === '') return { type: 'inbox', approvalId: null };
  if (kind === 'gates' && id) return { type: 'inbox', approvalId: decoded(id) };
  if (kind === 'runs') return id ? { type: 'run', agentRunId: decoded(id) } : { type: 'runs' };
  if (kind === 'overview' && !id) return { type: 'overview' };
  return { type: 'unknown' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const gatePath = (approvalId: string) => `/inbox/gates/${encodeURIComponent(approvalId)}`;
export const runPath = (agentRunId: string) => `/inbox/runs/${encodeURIComponent(agentRunId)}`;
