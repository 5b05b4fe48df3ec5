import { readFile } from 'node:fs/promises';
import type { Settings } from '../config/schema.ts';

/** The connection options for Temporal as it is configured, its TLS files read. */
export async function temporalOptions({ address, namespace, apiKey, tls }: Settings['temporal']) {
  return { address, namespace, ...(apiKey === undefined ? {} : { apiKey }), ...(tls === undefined ? {} : { tls: await readTls(tls) }) };
}

async function readTls(tls: NonNullable<Settings['temporal']['tls']>) {
  const [crt, key, ca] = await Promise.all([readFile(tls.certPath), readFile(tls.keyPath), tls.caPath === undefined ? undefined : readFile(tls.caPath)]);
  return { clientCertPair: { crt, key }, ...(ca === undefined ? {} : { serverRootCACertificate: ca }) };
}
