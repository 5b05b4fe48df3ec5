import { pieces } from './chat-reply.ts';
import type { Reply } from './reply.ts';
import { unfinishedResponse, type WireResponse } from './responses-reply.ts';

type Event = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The events of a streamed response, numbered, ending with the one that carries the whole response. */
export function responseEvents(reply: Reply, final: WireResponse): Event[] {
  const started = unfinishedResponse(final, 'in_progress', null);
  const events: Event[] = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...final.output.flatMap((item, index) => itemEvents(item, index, reply)),
    { type: `response.${final.status}`, response: final },
  ];
  return events.map((event, index) => ({ ...event, sequence_number: index }));
}

function itemEvents(item: Readonly<Record<string, unknown>>, outputIndex: number, reply: Reply): Event[] {
  const place = { item_id: item.id, output_index: outputIndex };
  const done: Event = { type: 'response.output_item.done', output_index: outputIndex, item };
  const added = (started: Readonly<Record<string, unknown>>): Event => ({
    type: 'response.output_item.added',
    output_index: outputIndex,
    item: { ...item, ...started },
  });
  switch (item.type) {
    case 'function_call': {
      const text = String(item.arguments);
      const deltas = pieces(text).map((delta) => ({ type: 'response.function_call_arguments.delta', ...place, delta }));
      const whole = { type: 'response.function_call_arguments.done', ...place, name: item.name, arguments: text };
      return [added({ arguments: '', status: 'in_progress' }), ...deltas, whole, done];
    }
    case 'message':
      return [added({ content: [], status: 'in_progress' }), ...contentEvents(reply, place), done];
    default:
      return [added({}), done];
  }
}

function contentEvents({ content }: Reply, itemPlace: Readonly<Record<string, unknown>>): Event[] {
  const place = { ...itemPlace, content_index: 0 };
  const isRefusal = content.refusal !== null;
  const text = content.refusal ?? content.text ?? '';
  const part = (said: string): object => (isRefusal ? { type: 'refusal', refusal: said } : { type: 'output_text', text: said, annotations: [], logprobs: [] });
  const deltas = pieces(text).map((delta) =>
    isRefusal ? { type: 'response.refusal.delta', ...place, delta } : { type: 'response.output_text.delta', ...place, delta, logprobs: [] },
  );
  const whole = isRefusal ? { type: 'response.refusal.done', ...place, refusal: text } : { type: 'response.output_text.done', ...place, text, logprobs: [] };
  return [
    { type: 'response.content_part.added', ...place, part: part('') },
    ...deltas,
    whole,
    { type: 'response.content_part.done', ...place, part: part(text) },
  ];
}
