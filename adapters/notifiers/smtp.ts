import { createTransport } from 'nodemailer';
import { type SendResult, SEND_TIMEOUT_MS } from '../../domain/notification/deliver.ts';
import type { NotificationMessage } from '../../domain/notification/message.ts';

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly from: string;
  readonly to: readonly string[];
  readonly auth?: { readonly user: string; readonly pass: string };
  /** Whether the server is on this machine, where no TLS is needed. */
  readonly isLocal: boolean;
  readonly timeoutMs?: number;
}

/** One connection for each e-mail. Its Message-ID is the event's id, by which servers and readers know a repetition. */
export function smtpSender(options: SmtpOptions): (message: NotificationMessage) => Promise<SendResult> {
  const { host, port, tls, auth, isLocal, from, to, timeoutMs = SEND_TIMEOUT_MS } = options;
  const domain = /@([A-Za-z0-9.-]+)/.exec(from)?.[1] ?? 'tollgate.invalid';
  return async ({ eventId, title, facts, link }) => {
    const transport = createTransport({
      host,
      port,
      secure: tls,
      requireTLS: !tls && !isLocal,
      ignoreTLS: !tls && isLocal,
      ...(auth ? { auth } : {}),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const text = [title, '', ...facts.map(([name, value]) => `${name}: ${value}`), ...(link === null ? [] : ['', link])].join('\n');
      const sent = transport.sendMail({
        from,
        to: [...to],
        subject: oneLine(title),
        text,
        messageId: `<${eventId}@${domain}>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
      await within(timeoutMs, sent);
      return { type: 'sent' };
    } catch (error) {
      const { code, responseCode } = error as { readonly code?: string; readonly responseCode?: number };
      const isFinal = responseCode !== undefined && responseCode >= 500 && code !== 'EAUTH';
      return { type: 'failed', isFinal, reason: responseCode === undefined ? `no answer (${code ?? 'timeout'})` : `it answered ${responseCode}` };
    } finally {
      transport.close();
    }
  };
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('the server took too long'), { code: 'timeout' })), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200);
}
