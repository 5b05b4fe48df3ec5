import { isIP } from 'node:net';
import { TollgateError } from '../../contracts/failures.ts';
import type { ChannelSpec, NotificationEvent } from '../../contracts/notification.ts';
import type { Notifier } from '../../domain/notification/deliver.ts';
import { slackSender } from './slack.ts';
import { smtpSender } from './smtp.ts';
import { webhookSender } from './webhook.ts';

export interface NotifierOptions {
  readonly secret: (name: string) => string | undefined;
  readonly allowLoopback: boolean;
  /** For tests. */
  readonly timeoutMs?: number;
}

const DEFAULT_EVENTS: readonly NotificationEvent[] = ['gateOpened', 'gateReminder', 'gateEscalated'];

/** The channels of a project. @throws TollgateError `invalidInput` where a variable that one names is not set. */
export function openNotifiers(channels: readonly ChannelSpec[], options: NotifierOptions): readonly Notifier[] {
  return channels.map((channel) => {
    const { name, tenants, roles, events = DEFAULT_EVENTS, showArguments = false } = channel;
    return { name, ...(tenants ? { tenants } : {}), ...(roles ? { roles } : {}), events, showArguments, send: senderOf(channel, options) };
  });
}

function senderOf(channel: ChannelSpec, { secret, allowLoopback, timeoutMs }: NotifierOptions): Notifier['send'] {
  const secretOf = (variable: string): string => {
    const value = secret(variable);
    if (value !== undefined) return value;
    throw new TollgateError('invalidInput', `The notification channel "${channel.name}" names ${variable}, which is not set. Set it where the workers run.`);
  };
  const limits = { allowLoopback, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  switch (channel.type) {
    case 'webhook':
      return webhookSender({ url: channel.url, ...limits }, secretOf(channel.secret));
    case 'slack':
      return slackSender({ url: secretOf(channel.url), ...limits });
    case 'email': {
      const { host, port, tls = false, from, to, user, password } = channel;
      const auth = user !== undefined && password !== undefined ? { auth: { user, pass: secretOf(password) } } : {};
      return smtpSender({ host, port, tls, from, to, ...auth, isLocal: isThisMachine(host), ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    }
  }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
