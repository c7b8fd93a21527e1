import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/audit/checkpoint.ts';
import { openSigner } from '../../src/audit/checkpoint-key.ts';
import { noteSigner, openNote, parseVerifier } from '../../src/audit/note.ts';
import { emptyRoot, leafHash } from '../../src/audit/tree.ts';

const pemOf = (type: 'ed25519' | 'x25519'): string =>
  (type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
const signer = noteSigner('example.com/log', pemOf('ed25519'));
const verifier = parseVerifier(signer.verifierKey);

describe('signed notes', () => {
  it('open the example of Go’s sumdb/note', () => {
    const key = parseVerifier('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    const opened = openNote(note, [key]);
    assert.deepEqual(opened.ok && opened.text, text);
    assert.equal(openNote(note.replace('answer', 'question'), [key]).ok, false);
  });

  it('are good by one known signature, whatever others stand beside it', () => {
    const other = noteSigner('witness.example', pemOf('ed25519'));
    const text = 'a\nb\n';
    const both = `${signer.sign(text)}${other.sign(text).split('\n\n')[1]!}`;
    for (const one of [signer, other]) assert.deepEqual(openNote(both, [parseVerifier(one.verifierKey)]).ok, true);
    const problem = (note: string): string => {
      const opened = openNote(note, [verifier]);
      return opened.ok ? 'it is good' : opened.problem;
    };
    assert.match(problem(other.sign(text)), /the key was replaced/);
    assert.match(problem(noteSigner('example.com/log', pemOf('ed25519')).sign(text)), /the key was replaced/);
    assert.match(problem(signer.sign(text).replace('a\n', 'c\n')), /does not fit its text/);
    for (const bad of [
      '',
      'text\n',
      'text\n\n',
      signer.sign(text).trimEnd(),
      signer.sign(text).replace('— ', '- '),
      `${signer.sign(text)}more\n`,
    ])
      assert.match(problem(bad), /no signed note|malformed/, bad);
  });

  it('take Ed25519 keys and names that a note can carry, and say so otherwise', () => {
    assert.throws(() => noteSigner('two words', pemOf('ed25519')), { code: 'config.invalid' });
    assert.throws(() => noteSigner('name', pemOf('x25519')), { code: 'config.invalid' });
    assert.throws(() => noteSigner('name', 'no key'), { code: 'config.invalid', message: /openssl rand/ });
    const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    // RFC 8032, section 7.1, test 1.
    const known = Buffer.from('01d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex').toString('base64');
    assert.ok(noteSigner('name', `${seed}\n`).verifierKey.endsWith(`+${known}`));
    for (const bad of ['', 'name', signer.verifierKey.replace('example', 'exbmple'), signer.verifierKey.slice(0, -4)])
      assert.throws(() => parseVerifier(bad), { code: 'request.invalid' }, bad);
  });
});

describe('checkpoints', () => {
  it('say origin, size and root, and hold the extensions that others add', () => {
    const root = leafHash('x');
    const note = signCheckpoint(signer, 7, root);
    assert.deepEqual(openCheckpoint(note, [verifier]), { ok: true, checkpoint: { origin: 'example.com/log', size: 7, root } });
    const extended = signer.sign(`${note.split('\n\n')[0]!}\nan extension\n`);
    assert.equal(openCheckpoint(extended, [verifier]).ok, true);
    assert.equal(
      openCheckpoint(signer.sign(`another.example/log\n7\n${Buffer.from(root, 'latin1').toString('base64')}\n`), [verifier]).ok,
      false,
    );
  });

  it('are nothing where a line is not what it must be', () => {
    const root = Buffer.from(emptyRoot, 'latin1').toString('base64');
    assert.equal(parseCheckpoint(`log\n0\n${root}\n`)?.size, 0);
    for (const text of [
      '',
      'log\n1\n',
      `log\n01\n${root}\n`,
      `log\n-1\n${root}\n`,
      `log\n1e3\n${root}\n`,
      `log\n1\n${root.slice(4)}\n`,
      `\n1\n${root}\n`,
    ])
      assert.equal(parseCheckpoint(text), undefined, JSON.stringify(text));
  });

  it('are signed with a key that is made once, for its owner alone, and named by its fingerprint', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'castellan-key-'));
    try {
      const file = join(folder, 'new', 'key.pem');
      const [one, two] = await Promise.all([openSigner({ file }), openSigner({ file })]);
      assert.ok(one?.verifierKey === two?.verifierKey && /^castellan-[0-9a-f]{12}\/audit\+/.test(one?.verifierKey ?? ''));
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal((await openSigner({ file: undefined, pem: readFileSync(file, 'utf8'), origin: 'a.example' }))?.name, 'a.example');
      assert.equal(await openSigner({ file: undefined }), undefined);
      writeFileSync(file, 'spoilt');
      await assert.rejects(openSigner({ file }), { code: 'config.invalid' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
