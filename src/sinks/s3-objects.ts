import { AwsV4Signer } from 'aws4fetch';
import type { HttpPost } from './http-post.ts';

/** A place in an S3-compatible store, and who may write there; secrets are plain text here. */
export interface S3Place {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** What the objects' names begin with. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** Writes one object, signed with Signature Version 4; an object of the same name is replaced. @throws SinkFault */
export async function putObject(place: S3Place, http: HttpPost, name: string, type: string, body: Buffer): Promise<void> {
  const { endpoint, bucket, region, prefix, accessKeyId, secretAccessKey, sessionToken } = place;
  const path = `${bucket}/${prefix}/${name}`.split('/').filter((part) => part !== '');
  const signer = new AwsV4Signer({
    method: 'PUT',
    url: `${endpoint.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}`,
    body: new Uint8Array(body),
    headers: { 'content-type': type },
    service: 's3',
    region,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
  const { url, headers } = await signer.sign();
  await http.post({ method: 'PUT', url: url.href, headers: Object.fromEntries(headers), body });
}
