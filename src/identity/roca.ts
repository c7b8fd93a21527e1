// Primes at which the powers of 65537 leave out enough residues to tell a vulnerable modulus from a random one (about 1 in 2^27 errs).
const primes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/**
 * True for an RSA modulus with the fingerprint of CVE-2017-15361 (ROCA): modulo each small prime it is a power of 65537, because its
 * factors were made as `k·M + 65537^a mod M`. Such a key can be factored.
 * @see https://doi.org/10.1145/3133956.3133969 section 2.4
 */
export function hasRocaFingerprint(modulus: bigint): boolean {
  return primes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))));
}

function powersOf65537(prime: number): Set<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power);
  return powers;
}
