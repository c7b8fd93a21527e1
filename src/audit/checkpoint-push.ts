import type { StoredCheckpoint } from './checkpoint-book.ts';

/** Where checkpoints go off this host. */
export type CheckpointTarget =
  | {
      readonly name: string;
      readonly kind: 'http';
      /** `{size}` in it stands for the number of records. */
      readonly url: string;
      readonly method: 'POST' | 'PUT';
      readonly headers: Readonly<Record<string, string>>;
    }
  | {
      readonly name: string;
      readonly kind: 's3';
      readonly endpoint: string;
      readonly bucket: string;
      readonly region: string;
      readonly prefix: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string | undefined;
    };

const timeoutMs = 10_000;
const sizeDigits = 16;
const rootDigits = 16;

/**
 * Sends a checkpoint to a target: the signed note as it is. To an object store it goes twice, under its size and root, so that not even
 * that of a fork replaces another, and as `checkpoint`, the latest.
 * @throws Error in words when it did not arrive
 */
export async function pushCheckpoint(target: CheckpointTarget, { size, root, note }: StoredCheckpoint): Promise<void> {
  if (target.kind === 'http') {
    const headers = { 'content-type': 'text/plain; charset=utf-8', ...target.headers };
    await send(target.url.replaceAll('{size}', String(size)), { method: target.method, headers, body: note });
    return;
  }
  // Only a gateway that has such a target pays for it.
  const { AwsV4Signer } = await import('aws4fetch');
  const { region, accessKeyId, secretAccessKey, sessionToken } = target;
  const base = `${target.endpoint.replace(/\/+$/, '')}/${encodeURIComponent(target.bucket)}`;
  for (const name of [`checkpoints/${String(size).padStart(sizeDigits, '0')}-${root.slice(0, rootDigits)}`, 'checkpoint']) {
    const path = `${target.prefix}/${name}`.split('/').filter((part) => part !== '');
    const signer = new AwsV4Signer({
      method: 'PUT',
      url: `${base}/${path.map(encodeURIComponent).join('/')}`,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: note,
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    });
    const signed = await signer.sign();
    await send(signed.url.href, { method: 'PUT', headers: signed.headers, body: note });
  }
}

async function send(
  url: string,
  request: { method: string; headers: Headers | Readonly<Record<string, string>>; body: string },
): Promise<void> {
  const { host } = new URL(url);
  let status: number;
  try {
    // What is sent is for the configured address alone.
    const response = await fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    status = response.status;
    await response.body?.cancel();
  } catch (cause) {
    throw new Error(`\`${host}\` cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (status < 200 || status > 299) throw new Error(`\`${host}\` answered with status ${status}`);
}
