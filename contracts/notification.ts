import { z } from 'zod';

export const NOTIFICATION_EVENTS = ['gateOpened', 'gateReminder', 'gateEscalated', 'gateDecided'] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

const secretName = z.string().regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'the name of an environment variable, such as HOOK_SECRET');
const url = z.url({ protocol: /^https?$/ });
const shared = {
  /** Names the channel in the store and in `tollgate doctor`; a channel renamed is another one. */
  name: z.string().min(1).max(100),
  /** Only of these tenants. Unset: of all. */
  tenants: z.array(z.string().min(1)).min(1).optional(),
  /** Only gates that ask one of these roles. Unset: all. */
  roles: z.array(z.string().min(1)).min(1).optional(),
  /** Unset: all but `gateDecided`. */
  events: z.array(z.enum(NOTIFICATION_EVENTS)).min(1).optional(),
  /** Whether the message has the arguments' values, redacted as they are. They then leave this system. */
  showArguments: z.boolean().optional(),
};

/** Where people are told about gates. */
export const channelSpecSchema = z.discriminatedUnion('type', [
  /** Signed as Standard Webhooks says; `secret` names the variable with the secret, `whsec_…`. */
  z.strictObject({ ...shared, type: z.literal('webhook'), url, secret: secretName }),
  /** A Slack-compatible incoming webhook; `url` names the variable that has it, because whoever knows it can post. */
  z.strictObject({ ...shared, type: z.literal('slack'), url: secretName }),
  z.strictObject({
    ...shared,
    type: z.literal('email'),
    to: z.array(z.email()).min(1).max(50),
    from: z.string().min(3).max(300),
    host: z.string().min(1).max(300),
    port: z.int().min(1).max(65_535),
    /** TLS from the first byte (port 465). Unset: STARTTLS, which is demanded unless the server is this machine. */
    tls: z.boolean().optional(),
    user: z.string().min(1).max(300).optional(),
    password: secretName.optional(),
  }),
]);
export type ChannelSpec = z.infer<typeof channelSpecSchema>;
export const channelsSchema = z
  .array(channelSpecSchema)
  .max(50)
  .refine((channels) => new Set(channels.map(({ name }) => name)).size === channels.length, 'two channels have the same name');
