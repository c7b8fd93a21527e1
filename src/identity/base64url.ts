const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * True where `text` is the one base64url spelling of its bytes: no padding, no white space, no stray characters, and the bits that the
 * last character does not use are zero. jose and Node accept other spellings, so one token could be written in many ways and slip past
 * whatever is keyed by its text.
 * @see RFC 7515 section 2, RFC 4648 section 3.5
 */
export function isCanonicalBase64url(text: string): boolean {
  const rest = text.length % 4;
  if (rest === 1 || !/^[A-Za-z0-9_-]*$/.test(text)) return false;
  if (rest === 0) return true;
  return (alphabet.indexOf(text.charAt(text.length - 1)) & (rest === 2 ? 0b1111 : 0b11)) === 0;
}
