/** The embedded data of the sample shop. It is made up; any likeness to a real person is accidental. */
export interface Address {
  readonly street: string;
  readonly city: string;
  readonly postalCode: string;
  readonly country: string;
}

export interface SeedCustomer {
  readonly customerId: string;
  readonly name: string;
  readonly address: Address;
}

export interface SeedOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly orderedOn: string;
  readonly status: 'packing' | 'shipped' | 'delivered' | 'lost' | 'returned';
  readonly items: readonly { readonly name: string; readonly quantity: number; readonly priceCents: number }[];
}

export const CUSTOMERS: readonly SeedCustomer[] = [
  { customerId: 'C-201', name: 'Idris Bello', address: { street: '18 Harbour Lane', city: 'Portland', postalCode: '97209', country: 'US' } },
  { customerId: 'C-207', name: 'Mara Lindqvist', address: { street: '4 Juniper Court', city: 'Duluth', postalCode: '55802', country: 'US' } },
  { customerId: 'C-214', name: 'Tomás Ferreira', address: { street: '221 Quarry Road', city: 'Boulder', postalCode: '80302', country: 'US' } },
  { customerId: 'C-220', name: 'Hana Okafor', address: { street: '9 Millbrook Street', city: 'Burlington', postalCode: '05401', country: 'US' } },
];

export const ORDERS: readonly SeedOrder[] = [
  order('W-1038', 'C-201', '2026-08-30', 'delivered', [['Ridge 45 backpack', 1, 15900]]),
  order('W-1039', 'C-214', '2026-09-02', 'delivered', [['Merino base layer', 2, 6900]]),
  order('W-1040', 'C-220', '2026-09-05', 'returned', [['Trail gaiters', 1, 3400]]),
  order('W-1041', 'C-201', '2026-09-11', 'delivered', [
    ['Titanium mug', 2, 2800],
    ['Gas stove', 1, 5900],
  ]),
  order('W-1042', 'C-207', '2026-09-14', 'delivered', [
    ['Fell 2 tent', 1, 32900],
    ['Tent pegs, set of 8', 1, 1600],
  ]),
  order('W-1043', 'C-207', '2026-10-02', 'shipped', [['Moss sleeping bag', 1, 18900]]),
  order('W-1044', 'C-214', '2026-10-03', 'lost', [['Granite hiking boots', 1, 21900]]),
  order('W-1045', 'C-220', '2026-10-09', 'delivered', [
    ['Head torch', 1, 4900],
    ['Batteries, set of 4', 2, 900],
  ]),
  order('W-1046', 'C-201', '2026-10-20', 'shipped', [['Down jacket', 1, 27900]]),
  order('W-1047', 'C-214', '2026-10-28', 'packing', [['Trekking poles', 1, 8900]]),
  order('W-1048', 'C-207', '2026-11-04', 'delivered', [['Wool socks', 3, 1900]]),
  order('W-1049', 'C-220', '2026-11-12', 'packing', [
    ['Dry bag 20 l', 2, 2600],
    ['Water filter', 1, 5400],
  ]),
];

function order(
  orderId: string,
  customerId: string,
  orderedOn: string,
  status: SeedOrder['status'],
  items: readonly (readonly [name: string, quantity: number, priceCents: number])[],
): SeedOrder {
  return { orderId, customerId, orderedOn, status, items: items.map(([name, quantity, priceCents]) => ({ name, quantity, priceCents })) };
}
