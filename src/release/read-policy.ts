import { readBundle } from './bundle-source.ts';
import { readPolicySource, type PolicySource } from './policy-source.ts';

/** Where policy is: a folder of Rego, or a bundle that was built elsewhere (a file or a folder); and its tests, where they count. */
export interface PolicyPlace {
  readonly kind: 'folder' | 'bundle';
  readonly path: string;
  readonly testsPath?: string | undefined;
}

/** Reads what is there now. @throws GatewayError `policy.invalid` */
export function readPolicy({ kind, path, testsPath }: PolicyPlace): Promise<PolicySource> {
  return kind === 'bundle' ? readBundle(path, testsPath) : readPolicySource(path, testsPath);
}
