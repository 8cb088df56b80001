import { expect, test } from 'vitest';
import { hashesOfTexts } from './tag-hashes.js';
import { templateMistake, ValueTags } from './value-tags.js';

function tagsOf(templates: readonly string[], value: string): Uint8Array | undefined {
  // In the middle of a buffer, as in a frame.
  const bytes = Buffer.from(`..${value}..`);
  return new ValueTags(templates).of(bytes, 2, bytes.length - 2);
}

test('fields of a JSON object become tags, each template one', () => {
  const value = '{"id":7,"category_id":"tea","sale":false}';
  const tags = tagsOf(['product:{id}', 'category:{category_id}', '{sale}/{id}', 'products'], value);
  expect(tags).toEqual(hashesOfTexts(['product:7', 'category:tea', 'false/7', 'products']));
});

test.each([
  ['a value that is no JSON', 'tea'],
  ['a value that is a list', '[1]'],
  ['a value that is null', 'null'],
  ['a field that is missing', '{"name":"tea"}'],
  ['a field that every object has', '{"constructor":{}}'],
  ['a field that is null', '{"id":null}'],
  ['a field that is an object', '{"id":{}}'],
  ['a number that has lost its last digit', '{"id":9007199254740993}'],
  ['a tag above 128 bytes', `{"id":"${'x'.repeat(128)}"}`],
])('%s gives no tag, and does not keep others from theirs', (_what, value) => {
  expect(tagsOf(['product:{id}', '{constructor}'], value)).toBeUndefined();
  expect(tagsOf(['product:{id}', 'products'], value)).toEqual(hashesOfTexts(['products']));
});

test('braces must match and name something', () => {
  expect(templateMistake(['product:{id}', 'all', '{a}{b}'])).toBeUndefined();
  for (const text of ['{id', 'id}', '{}', '{{id}}', '', 'x'.repeat(129)])
    expect(templateMistake([text])).toMatch(/^templates of/);
  expect(templateMistake(new Array(33).fill('a'))).toBe('at most 32 templates');
});
