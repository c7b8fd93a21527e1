import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { canonical, digestJson } from '../../src/model/digest.ts';
import type { Json, JsonObject } from '../../src/model/json.ts';
import { parseStrict } from '../../src/model/strict-json.ts';
import { changedFields, diffLocks } from '../../src/upstream/definition-diff.ts';
import { lockfileText, lockInstructions, lockTool, readLockfile, type Lockfile } from '../../src/upstream/lockfile.ts';
import { pinState } from '../../src/upstream/pinning.ts';
import { options, pinBook } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'castellan-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const definition = {
  name: 'send',
  title: 'Send',
  description: 'Sends a message.',
  inputSchema: { type: 'object', properties: { to: { type: 'string', description: 'Whom.' } }, required: ['to'] },
  annotations: { readOnlyHint: false },
  _meta: { version: 3 },
};
const lock = (tools: JsonObject[], text?: string): Lockfile => ({
  version: 1,
  servers: {
    mail: {
      instructions: lockInstructions(text),
      tools: Object.fromEntries(tools.map((tool) => [tool['name'] as string, lockTool(tool, ['egress'])])),
    },
  },
});
const file = (text: string): string => {
  const path = join(folder, 'castellan.lock.json');
  writeFileSync(path, text);
  return path;
};

/** JSON without what no upstream's message can hold. */
const json = fc.jsonValue({ depthSize: 'small' }).filter((value) => !JSON.stringify(value).includes('__proto__')) as fc.Arbitrary<Json>;
const definitions = fc
  .record({
    name: fc.stringMatching(/^[a-z_]{1,12}$/),
    description: fc.string({ unit: 'binary' }),
    inputSchema: fc.dictionary(fc.string(), json),
    extra: json,
  })
  .filter(
    (value) => !JSON.stringify(value).includes('__proto__') && JSON.stringify(value).isWellFormed(),
  ) as unknown as fc.Arbitrary<JsonObject>;

describe('the lockfile', () => {
  test('is read as it was written, whatever the definition, and is the same text for the same content', () => {
    fc.assert(
      fc.property(definitions, fc.option(fc.string({ unit: 'binary' }), { nil: undefined }), (tool, instructions) => {
        const written = lock([tool], instructions);
        const text = lockfileText(written);
        assert.deepEqual(canonical(readLockfile(file(text)) as unknown as Json), canonical(written as unknown as Json));
        assert.equal(lockfileText(parseStrict(text, { maxDepth: 80 }) as unknown as Lockfile), text);
      }),
      { numRuns: 60 },
    );
  });

  test('shows in a diff of lines what changed, and hides no character', () => {
    const before = lockfileText(lock([definition])).split('\n');
    const now = lockfileText(lock([{ ...definition, description: 'Sends a mes\u200bsage.\u{e0041}' }])).split('\n');
    const changed = now.filter((line, at) => line !== before[at]);
    assert.equal(before.length, now.length);
    assert.equal(changed.length, 2);
    assert.match(changed[0]!, /"description": "Sends a mes\\u200bsage\.\\udb40\\udc41"/);
    assert.match(changed[1]!, /"digest": "sha256:[0-9a-f]{64}"/);
    assert.ok(before.length < 28, 'a tool takes a few lines');
  });

  test('that was edited by hand, cut, merged badly or is of another kind is refused, with words', () => {
    const text = lockfileText(lock([definition], 'Be kind.'));
    const bad: readonly (readonly [string, RegExp])[] = [
      [text.replace('Sends a message', 'Sends two messages'), /digest of `mail\/send` does not fit its definition/],
      [text.replace('Be kind', 'Be rude'), /digest of the instructions of `mail`/],
      [text.replace('"send": {', '"sent": {'), /`mail\/sent` has the definition of another tool/],
      [text.slice(0, -20), /not good JSON/],
      [`<<<<<<< HEAD\n${text}`, /not good JSON.*castellan lock/],
      [text.replace('"version": 1', '"version": 2'), /`\/version`/],
      [text.replace('"labels": ["egress"]', '"labels": "egress"'), /labels/],
      ['[]', /must be object/],
    ];
    for (const [content, words] of bad)
      assert.throws(() => readLockfile(file(content)), { code: 'config.invalid', message: words }, content.slice(0, 200));
    assert.throws(() => readLockfile(folder), { code: 'config.invalid', message: /EISDIR/ });
    assert.equal(readLockfile(join(folder, 'none.json')), undefined);
  });
});

/** Every place of a value, as steps. */
function placesOf(value: Json, steps: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [steps];
  const inside = Object.entries(value as Record<string, Json>).flatMap(([key, item]) =>
    placesOf(item, [...steps, Array.isArray(value) ? Number(key) : key]),
  );
  return [...(steps.length === 0 ? [] : [steps]), ...inside];
}

function change(value: Json, [step, ...rest]: (string | number)[], how: (old: Json) => Json | undefined): Json {
  const members = Object.entries(value as Record<string, Json>).flatMap(([key, old]): [string, Json][] => {
    if (key !== String(step)) return [[key, old]];
    const now = rest.length === 0 ? how(old) : change(old, rest, how);
    return now === undefined ? [] : [[key, now]];
  });
  return Array.isArray(value) ? members.map(([, item]) => item) : Object.fromEntries(members);
}

describe('a pin of the lockfile', () => {
  const pinned = async (locked: JsonObject, live: JsonObject, quarantine: 'hide' | 'policy' = 'hide') =>
    pinState(
      options('mail', 'http://127.0.0.1:1', { pinning: 'lockfile', lock: lock([locked]).servers['mail']!, quarantine }),
      { name: live['name'] as string, definition: live, digest: digestJson(live), unusable: undefined },
      pinBook(),
    );

  test('holds for the very definition, in whatever order of its members', async () => {
    const { name, ...rest } = definition;
    assert.deepEqual(await pinned(definition, { ...rest, name }), { pinned: true, quarantined: undefined });
  });

  test('breaks with a change of any member, its removal, or a further one', async () => {
    await fc.assert(
      fc.asyncProperty(definitions, fc.nat(), json, fc.constantFrom('change', 'remove', 'add'), async (locked, at, value, how) => {
        const places = placesOf(locked);
        const place = places[at % places.length]!;
        const live =
          how === 'add'
            ? { ...locked, added: value }
            : (change(locked, place, (old) =>
                how === 'remove' ? undefined : canonical(old) === canonical(value) ? 'other' : value,
              ) as JsonObject);
        // The catalogue's reader leaves out what has no name.
        fc.pre(canonical(live) !== canonical(locked) && typeof live['name'] === 'string');
        const state = await pinned(locked, live);
        assert.equal(state.pinned, false);
        assert.match(state.quarantined ?? '', /lockfile/);
        assert.ok(changedFields(locked, live).length > 0);
      }),
      { numRuns: 300 },
    );
  });

  test('breaks for each single field of a definition', async () => {
    for (const place of placesOf(definition))
      assert.equal((await pinned(definition, change(definition as unknown as Json, place, () => 'other') as JsonObject)).pinned, false);
  });

  test('is missing for a tool that nobody locked; policy alone decides where that is configured', async () => {
    const other = { ...definition, name: 'other' };
    assert.deepEqual(await pinned(definition, other), { pinned: false, quarantined: 'it is not in the lockfile' });
    assert.deepEqual(await pinned(definition, other, 'policy'), { pinned: false, quarantined: undefined });
  });
});

describe('the difference of two lockfiles', () => {
  test('names the tool, the place, and what stood there', () => {
    const now = lock(
      [
        {
          ...definition,
          inputSchema: {
            ...definition.inputSchema,
            required: ['to', 'bcc'],
            properties: { to: { type: 'string', description: 'All.' }, bcc: {} },
          },
        },
        { name: 'extra', inputSchema: {} },
      ],
      'Hello.',
    );
    const old = lock([definition, { name: 'gone', inputSchema: {} }]);
    assert.deepEqual(diffLocks(old, now, ['mail']), [
      { server: 'mail', tool: null, kind: 'added', fields: [{ pointer: '', after: 'Hello.' }] },
      { server: 'mail', tool: 'extra', kind: 'added', fields: [{ pointer: '', after: { name: 'extra', inputSchema: {} } }] },
      { server: 'mail', tool: 'gone', kind: 'removed', fields: [{ pointer: '', before: { name: 'gone', inputSchema: {} } }] },
      {
        server: 'mail',
        tool: 'send',
        kind: 'changed',
        fields: [
          { pointer: '/inputSchema/properties/bcc', after: {} },
          { pointer: '/inputSchema/properties/to/description', before: 'Whom.', after: 'All.' },
          { pointer: '/inputSchema/required', before: ['to'], after: ['to', 'bcc'] },
        ],
      },
    ]);
    assert.deepEqual(diffLocks(now, now, ['mail', 'none']), []);
  });

  test('sees a change of labels', () => {
    const now = { ...lock([definition]), servers: { mail: { instructions: null, tools: { send: lockTool(definition, ['read']) } } } };
    assert.deepEqual(diffLocks(lock([definition]), now, ['mail'])[0]!.fields, [
      { pointer: '(labels)', before: ['egress'], after: ['read'] },
    ]);
  });
});
