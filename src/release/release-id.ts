import type { ReleaseId } from '../model/ids.ts';

const shortCommitChars = 12;
const shortDigestChars = 12;
const maxRevisionChars = 40;

/** `<commit, or the revision of a bundle, or local>[-dirty]@<digest>`, shortened. */
export function releaseId(digest: string, commit: string | null, revision?: string): ReleaseId {
  const short = digest.slice('sha256:'.length, 'sha256:'.length + shortDigestChars);
  if (revision !== undefined) return `${revisionName(revision)}@${short}` as ReleaseId;
  const [hash = 'local', dirty] = commit?.split('-') ?? [];
  return `${hash.slice(0, shortCommitChars)}${dirty === undefined ? '' : `-${dirty}`}@${short}` as ReleaseId;
}

/** A commit is shortened as everywhere; of what else a builder writes there, what is safe in a header, a path and a log. */
function revisionName(revision: string): string {
  if (/^[0-9a-f]{40,64}$/.test(revision)) return revision.slice(0, shortCommitChars);
  const plain = revision.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, maxRevisionChars);
  return plain === '' ? 'bundle' : plain;
}
