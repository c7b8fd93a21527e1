import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { GatewayError } from '../../src/model/errors.ts';
import { rawNumber } from '../../src/model/json.ts';
import { createLog } from '../../src/observe/log.ts';
import { collectedLog, onlyLine } from './collect.ts';

describe('a line of the log', () => {
  it('has time, level and event first, then the fields', async () => {
    const { log, lines } = collectedLog();
    log.child({ request: 'r-1' }).info('call.finished', { call: 'call_1', ms: 3.5, none: undefined, nil: null });
    assert.deepEqual(await lines(), [
      '{"time":"2026-11-21T07:30:00.123Z","level":"info","event":"call.finished","request":"r-1","call":"call_1","ms":3.5,"nil":null}',
    ]);
  });

  it('is one line, whatever is in it', async () => {
    const line = await onlyLine({}, (log) => log.info('x', { text: 'a\nb\r\u2028c\u001b[31m\u202egnp.exe\u200b' }));
    assert.equal(line['text'], 'a\nb\r\\u2028c\u001b[31m\\u202egnp.exe\\u200b');
    const { log, lines } = collectedLog({ format: 'pretty' });
    log.warn('x', { text: 'a\nb\u001b[31m', plain: 'tools/call', n: 1 });
    assert.deepEqual(await lines(), ['07:30:00.123 WARN  x text="a\\nb\\u001b[31m" plain=tools/call n=1']);
  });

  it('cannot be given another time, level or event by its fields', async () => {
    const line = await onlyLine({}, (log) => log.info('x', { level: 'error', event: 'y', time: 0 }));
    assert.deepEqual(line, { time: '2026-11-21T07:30:00.123Z', level: 'info', event: 'x', level_: 'error', event_: 'y', time_: 0 });
  });

  it('is written from its level on, and the level can change for children too', async () => {
    const { log, lines } = collectedLog({ level: 'warn' });
    const child = log.child({});
    child.info('no');
    assert.equal(child.enabled('info'), false);
    log.configure({ level: 'debug' });
    assert.equal(child.enabled('debug'), true);
    child.debug('yes');
    log.write('error', 'also');
    assert.deepEqual(
      (await lines()).map((line) => (JSON.parse(line) as { event: string }).event),
      ['yes', 'also'],
    );
  });

  it('has the code, message and causes of an error, and its stack at level debug alone', async () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', body: 'not shown' });
    const error = new GatewayError('upstream.unreachable', 'no connection', {
      cause: new AggregateError([cause], 'all failed', { cause: 'why' }),
    });
    const wanted = {
      name: 'GatewayError',
      code: 'upstream.unreachable',
      message: 'no connection',
      cause: {
        name: 'AggregateError',
        message: 'all failed',
        cause: 'why',
        errors: [{ name: 'Error', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }],
      },
    };
    assert.deepEqual((await onlyLine({}, (log) => log.error('x', { error })))['error'], wanted);
    const shown = (await onlyLine({ level: 'debug' }, (log) => log.error('x', { error })))['error'] as { stack: string };
    assert.match(shown.stack, /log\.test\.ts/);
  });

  it('that cannot be written stops nothing', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const log = createLog({ level: 'info', format: 'json', stream });
    for (let line = 0; line < 3; line++) {
      log.info('x');
      await new Promise(setImmediate);
    }
    await log.close();
  });

  it('takes any value, and none of them stops it', async () => {
    const circular: Record<string, unknown> = { a: 1 };
    circular['self'] = circular;
    const deep = { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } };
    const line = await onlyLine({}, (log) =>
      log.info('x', {
        circular,
        deep,
        list: Array.from({ length: 60 }, (_, index) => index),
        bytes: new Uint8Array(3),
        map: new Map<unknown, unknown>([['k', new Set([1])]]),
        date: new Date(0),
        badDate: new Date(NaN),
        url: new URL('https://a.example/x'),
        big: 10n ** 20n,
        raw: rawNumber('12345678901234567890'),
        nan: NaN,
        fn: () => 1,
        throws: {
          get x(): never {
            throw new Error('no');
          },
        },
        long: 'x'.repeat(5000),
      }),
    );
    assert.deepEqual(line['circular'], { a: 1, self: '[circular]' });
    assert.deepEqual(line['deep'], { a: { b: { c: { d: { e: '[too deep]' } } } } });
    assert.equal((line['list'] as unknown[]).length, 51);
    assert.equal((line['long'] as string).length, 4096 + '… 904 more characters'.length);
    const { bytes, map, date, badDate, url, big, raw, nan, throws } = line;
    assert.deepEqual(
      { bytes, map, date, badDate, url, big, raw, nan, throws, fn: 'fn' in line },
      {
        bytes: '[3 bytes]',
        map: { k: [1] },
        date: '1970-01-01T00:00:00.000Z',
        badDate: '[no date]',
        url: 'https://a.example/x',
        big: '100000000000000000000',
        raw: '12345678901234567890',
        nan: 'NaN',
        throws: '[unreadable]',
        fn: false,
      },
    );
  });
});
