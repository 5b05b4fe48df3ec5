import type { Detector } from '../../../domain/redaction/port.ts';
import { cardDetector } from './card.ts';
import { cryptoWalletDetector } from './crypto-wallet.ts';
import { dateOfBirthDetector } from './date-of-birth.ts';
import { emailDetector } from './email.ts';
import { ibanDetector } from './iban.ts';
import { labelledNumberDetector } from './labelled-number.ts';
import { nationalIdDetector } from './national-id.ts';
import { ipAddressDetector, macAddressDetector } from './network-address.ts';
import { phoneDetector } from './phone.ts';
import { postalAddressDetector } from './postal-address.ts';
import { urlDetector } from './url.ts';

/** Personal data by checksum, form or the words near it. The surer ones come first, for where two want the same range. */
export const personalDetectors: readonly Detector[] = [
  urlDetector,
  emailDetector,
  cardDetector,
  ibanDetector,
  cryptoWalletDetector,
  nationalIdDetector,
  labelledNumberDetector,
  macAddressDetector,
  ipAddressDetector,
  dateOfBirthDetector,
  phoneDetector,
  postalAddressDetector,
];
