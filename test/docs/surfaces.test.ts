import assert from 'node:assert/strict';
import { test } from 'node:test';
import { methodTable } from '../../src/call/methods.ts';
import { specMethods } from '../e2e/surfaces/spec-methods.ts';
import { isShipped, namedRules, surfacesPage } from './surfaces-page.ts';

test('the page of surfaces has every method that the schemas of the specification name', () => {
  const page = surfacesPage();
  assert.deepEqual(
    specMethods.all.filter((method) => !page.includes(`| \`${method}\` |`)),
    [],
  );
});

test('the gateway knows no method that the specification does not', () => {
  assert.deepEqual(
    Object.keys(methodTable).filter((method) => !specMethods.all.includes(method)),
    [],
  );
});

test('each rule that the page names is shipped', () => {
  assert.deepEqual(
    namedRules().filter((rule) => !isShipped(rule)),
    [],
  );
});
