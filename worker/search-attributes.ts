import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, type SearchAttributeTopic } from '../contracts/temporal.ts';

// temporal.api.enums.v1.IndexedValueType
const INDEXED_VALUE_TYPES = { KEYWORD: 2, DOUBLE: 4, BOOL: 5 } as const;

/**
 * Registers the search attributes that are switched on and not there yet. Registering one again changes nothing; one of
 * another type keeps that type without a word from the server, which is why `doctor` compares.
 */
export async function registerSearchAttributes(connection: Connection, namespace: string, switchedOff: readonly SearchAttributeTopic[]): Promise<void> {
  const wanted = Object.entries(SEARCH_ATTRIBUTES).filter(([topic]) => !switchedOff.includes(topic as SearchAttributeTopic));
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = wanted.map(([, attribute]) => attribute).filter(({ name }) => customAttributes?.[name] === undefined);
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, INDEXED_VALUE_TYPES[type]])),
  });
}
