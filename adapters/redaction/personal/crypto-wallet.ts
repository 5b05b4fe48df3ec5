import { createHash } from 'node:crypto';
import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { visitDigitWords } from './words.ts';

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
/** The first letters of addresses in Base58Check: Bitcoin, Litecoin, Dogecoin, Dash, Tron. */
const BASE58_FORM = /^[13LMADXT][1-9A-HJ-NP-Za-km-z]{25,34}$/;
/** Version bytes of these. */
const VERSIONS = new Set([0, 5, 48, 50, 30, 22, 76, 16, 65]);
const BECH32_FORM = /^(bc|ltc|tb)1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{11,87}$/;
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const MAX_LENGTH = 90;

/** Addresses of crypto wallets: Base58Check and Bech32 with their checksums; Ethereum by its form (40 hexadecimal digits after `0x`). */
export const cryptoWalletDetector: Detector = {
  name: 'crypto-wallet',
  types: ['cryptoWallet'],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start, end) => {
      if (end - start >= 26 && end - start <= MAX_LENGTH && isWallet(text.slice(start, end))) findings.push({ type: 'cryptoWallet', start, end });
      return undefined;
    });
    return findings;
  },
};

function isWallet(word: string): boolean {
  if (/^0x[0-9a-fA-F]{40}$/.test(word)) return !/^0x0+$/.test(word);
  const lower = word.toLowerCase();
  if (BECH32_FORM.test(lower) && (word === lower || word === word.toUpperCase())) return isBech32(lower);
  return BASE58_FORM.test(word) && isBase58Check(word);
}

function isBase58Check(word: string): boolean {
  let value = 0n;
  for (const character of word) value = value * 58n + BigInt(BASE58.indexOf(character));
  const bytes = Buffer.from(value.toString(16).padStart(50, '0'), 'hex');
  if (bytes.length !== 25 || !VERSIONS.has(bytes[0] ?? -1)) return false;
  const hash = (data: Buffer) => createHash('sha256').update(data).digest();
  return hash(hash(bytes.subarray(0, 21)))
    .subarray(0, 4)
    .equals(bytes.subarray(21));
}

/** BIP 173, and BIP 350 for later witness versions. */
function isBech32(word: string): boolean {
  const split = word.lastIndexOf('1');
  const prefix = word.slice(0, split);
  const expanded = [...prefix].map((character) => character.charCodeAt(0));
  const values = [...expanded.map((code) => code >> 5), 0, ...expanded.map((code) => code & 31), ...[...word.slice(split + 1)].map((c) => BECH32.indexOf(c))];
  let checksum = 1;
  for (const value of values) {
    const top = checksum >> 25;
    checksum = ((checksum & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((generator, bit) => {
      if ((top >> bit) & 1) checksum ^= generator;
    });
  }
  return checksum === 1 || checksum === 0x2bc830a3;
}
