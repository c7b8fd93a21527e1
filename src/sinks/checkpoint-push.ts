import { HttpPost } from './http-post.ts';
import type { S3Place } from './s3-objects.ts';
import type { SinkNetwork } from './sink.ts';

/** Where checkpoints go off this host. Without leave for a private network an address that is private is refused. */
export type CheckpointPlace = { readonly allowPrivateNetwork: boolean } & (
  | {
      readonly kind: 'http';
      /** `{size}` in it stands for the number of records. */
      readonly url: string;
      readonly method: 'POST' | 'PUT';
      readonly headers: Readonly<Record<string, string>>;
    }
  | ({ readonly kind: 's3' } & S3Place)
);

/** A signed note, and what it says: the number of records and the tree's root in hex. */
export interface SignedTree {
  readonly size: number;
  readonly root: string;
  readonly note: string;
}

const type = 'text/plain; charset=utf-8';
const sizeDigits = 16;
const rootDigits = 16;

/**
 * Sends a checkpoint: the signed note as it is. To an object store it goes twice, under its size and root, so that not even that of a fork
 * replaces another, and as `checkpoint`, the latest.
 * @throws SinkFault when it did not arrive
 */
export async function pushCheckpoint(place: CheckpointPlace, network: SinkNetwork, { size, root, note }: SignedTree): Promise<void> {
  const http = new HttpPost(place.allowPrivateNetwork ? undefined : network);
  const body = Buffer.from(note);
  try {
    if (place.kind === 'http') {
      const { url, method, headers } = place;
      await http.post({ url: url.replaceAll('{size}', String(size)), method, headers: { 'content-type': type, ...headers }, body });
      return;
    }
    // Only a gateway that has such a target pays for it.
    const { putObject } = await import('./s3-objects.ts');
    for (const name of [`checkpoints/${String(size).padStart(sizeDigits, '0')}-${root.slice(0, rootDigits)}`, 'checkpoint'])
      await putObject(place, http, name, type, body);
  } finally {
    await http.close();
  }
}
