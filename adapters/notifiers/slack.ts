import type { SendResult } from '../../domain/notification/deliver.ts';
import type { NotificationMessage } from '../../domain/notification/message.ts';
import { type PostOptions, post } from './webhook.ts';

/** Slack's blocks of a message, which Mattermost and others take too. A repetition after a crash can't be told there: see docs. */
export function slackSender(options: PostOptions): (message: NotificationMessage) => Promise<SendResult> {
  return async (message) => await post(options, JSON.stringify(slackMessage(message)), {});
}

export function slackMessage({ title, facts, link }: NotificationMessage): object {
  const text = [`*${escaped(title)}*`, ...facts.map(([name, value]) => `${name}: ${escaped(value)}`)].join('\n').slice(0, 2_900);
  const button = { type: 'button', text: { type: 'plain_text', text: 'Open' }, url: link };
  return {
    text: link === null ? escaped(title) : `${escaped(title)}: ${link}`,
    blocks: [{ type: 'section', text: { type: 'mrkdwn', text } }, ...(link === null ? [] : [{ type: 'actions', elements: [button] }])],
  };
}

/** What would call a channel or look like a link of ours is shown as it is. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('`', "'");
}
