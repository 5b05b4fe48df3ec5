import type { KeyedHash } from '../encryption/port.ts';

/** What a person is known by in a store: the subject that runs were started with, and values in vaults. */
export interface PersonHashes {
  readonly subject: string;
  readonly valueHash: string;
}

/** Case and spaces around it don't matter for a subject; a value in a vault is found as it was written. */
export function personHashes({ hash }: KeyedHash, person: string): PersonHashes {
  return { subject: hash('subject', person.trim().toLowerCase()), valueHash: hash('vault', person.trim()) };
}
