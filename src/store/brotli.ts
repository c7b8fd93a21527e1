import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';

const compress = promisify(brotliCompress);

/** 256 KiB: Brotli takes 8 MB for the window that it has by default, and what is compressed is hardly larger than this one. */
const windowBits = 18;

/** Compresses what a row keeps. @param quality 0 to 11 */
export function packed(content: string | Uint8Array, quality: number): Promise<Buffer> {
  return compress(content, { params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_LGWIN]: windowBits } });
}

/** What {@link packed} was given. */
export const unpacked = promisify(brotliDecompress);
