/** What a key must be for a JWS algorithm. */
interface KeyKind {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
}

const rsa: KeyKind = { kty: 'RSA' };

/** The signature algorithms that an issuer may be allowed: asymmetric ones only, so a public key can never serve as a MAC secret. */
export const signatureAlgorithms: ReadonlyMap<string, KeyKind> = new Map<string, KeyKind>([
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519' }],
  ['Ed25519', { kty: 'OKP', crv: 'Ed25519' }],
]);
