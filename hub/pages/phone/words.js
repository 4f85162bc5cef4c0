// Money and counts as a shopper reads them.

/** Minor units as text, with as many places as the currency has. */
export function money(minor, currency) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** So many items. */
export const items = (count) => (count === 1 ? "1 item" : `${count} items`);
