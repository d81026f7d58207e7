/**
 * Kubernetes quantities, compared exactly: `1Gi` is more than `1G`, and `1024Mi` is the same as `1Gi`.
 * The grammar is that of k8s.io/apimachinery/pkg/api/resource.
 */

const GRAMMAR = /^\+?(\d+(?:\.\d*)?|\.\d+)(?:([EPTGMK]i|[numkMGTPE])|[eE]([+-]?\d{1,2}))?$/;
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
/** The smallest unit that a quantity can have is a billionth. */
const NANO = -9;

/** The value of a quantity in billionths; undefined when it is none, or negative. */
export function parseQuantity(text: string): bigint | undefined {
  const [match, digits = '', suffix = '', exponent] = GRAMMAR.exec(text) ?? [];
  if (match === undefined) return undefined;
  const [whole = '', fraction = ''] = digits.split('.');
  const mantissa = BigInt(whole + fraction);
  const binary = BINARY.indexOf(suffix);
  if (binary >= 0) return scaled(mantissa * 1024n ** BigInt(binary + 1), -NANO - fraction.length);
  const power = exponent === undefined ? (DECIMAL.indexOf(suffix) - DECIMAL.indexOf('')) * 3 : Number(exponent);
  return scaled(mantissa, power - NANO - fraction.length);
}

/** The larger of some quantities, as it was written; what is no quantity counts as nothing. */
export function largest(quantities: readonly (string | undefined)[]): string | undefined {
  let best: { readonly text: string; readonly value: bigint } | undefined;
  for (const text of quantities) {
    const value = text === undefined ? undefined : parseQuantity(text);
    if (text === undefined || value === undefined) continue;
    if (best === undefined || value > best.value) best = { text, value };
  }
  return best?.text;
}

/** A quantity, or the limit where that is less; what is no quantity stays as it is. */
export function atMost(quantity: string | undefined, limit: string | undefined): string | undefined {
  const [value, most] = [quantity, limit].map((text) => (text === undefined ? undefined : parseQuantity(text)));
  return value !== undefined && most !== undefined && value > most ? limit : quantity;
}

/** mantissa × 10^power, rounded up: a claim may be a little larger than asked for, never smaller. */
function scaled(mantissa: bigint, power: number): bigint {
  if (power >= 0) return mantissa * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (mantissa + divisor - 1n) / divisor;
}
