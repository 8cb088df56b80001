// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are what is tested.
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { type Environment, substituteEnvironment } from './environment.js';

function substituted(text: string, environment: Environment) {
  const document = parseDocument(text);
  const unset = substituteEnvironment(document, environment);
  return { value: document.toJS() as unknown, unset };
}

test('a reference becomes the value of its variable, inside a string and more than once', () => {
  const { value, unset } = substituted('url: postgres://${USER}:${PASSWORD}@db/${USER}', { USER: 'a', PASSWORD: 'b' });
  expect(value).toEqual({ url: 'postgres://a:b@db/a' });
  expect(unset).toEqual([]);
});

test('a default stands in for a variable that is unset or empty', () => {
  expect(substituted('a: ${A:-x}\nb: ${B:-y z}\nc: "${C:-}"', { B: '' }).value).toEqual({ a: 'x', b: 'y z', c: '' });
});

test('an unset variable without a default is told with its path', () => {
  const { unset } = substituted('caches:\n  cities:\n    columns: [id, "${NAME}"]', {});
  expect(unset).toEqual([{ path: ['caches', 'cities', 'columns', 1], variable: 'NAME' }]);
});

test('without quotes a value may be a number or a switch, within quotes it is a string', () => {
  expect(substituted('a: ${N}\nb: "${N}"\nc: ${T}', { N: '20', T: 'true' }).value).toEqual({ a: 20, b: '20', c: true });
});

test('a value cannot add structure to the document', () => {
  const hostile = 'x\nmemory: 1TiB\n# {a: [b]}';
  expect(substituted('a: ${A}', { A: hostile }).value).toEqual({ a: hostile });
  expect(substituted('a: ${A}', { A: '{b: 1}' }).value).toEqual({ a: '{b: 1}' });
});

test('a doubled dollar sign is a plain one, and keys are left alone', () => {
  expect(substituted('"${K}": $${A}', { A: 'x' }).value).toEqual({ '${K}': '${A}' });
});
