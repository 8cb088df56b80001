import { expect, test } from 'vitest';
import { withoutSemicolon, withParameters } from './query-text.js';

test.each([
  ['SELECT $1', 'SELECT <1>'],
  ['$1,$12+$2', '<1>,<12>+<2>'],
  ["'$1' || $1 || 'it''s $2'", "'$1' || <1> || 'it''s $2'"],
  ["E'\\'$1' || e'$2\\\\' || $3", "E'\\'$1' || e'$2\\\\' || <3>"],
  ["'\\' || $1 || '\\'", "'\\' || <1> || '\\'"],
  ['"$1" = $1 AND "a""$2" = $2', '"$1" = <1> AND "a""$2" = <2>'],
  ['$$ $1 $$ || $tag$ $2 $$ $tag$ || $3', '$$ $1 $$ || $tag$ $2 $$ $tag$ || <3>'],
  ['-- $1\n$1 -- $2', '-- $1\n<1> -- $2'],
  ['/* $1 /* $2 */ $3 */ $4 /* $5', '/* $1 /* $2 */ $3 */ <4> /* $5'],
  ['a$1 + ü$2$ + _$3', 'a$1 + ü$2$ + _$3'],
  ['LIMIT $2::int OFFSET 1.5e3', 'LIMIT <2>::int OFFSET 1.5e3'],
  ["'never ends $1", "'never ends $1"],
])('%s: parameters are found where they are some', (sql, expected) => {
  expect(withParameters(sql, (parameter) => `<${parameter}>`)).toBe(expected);
});

test('the semicolon at the end goes', () => {
  expect(withoutSemicolon("SELECT ';' ; \n")).toBe("SELECT ';'   \n");
  expect(withoutSemicolon('SELECT 1; -- one;\n/* two; */')).toBe('SELECT 1  -- one;\n/* two; */');
  expect(withoutSemicolon('SELECT 1; SELECT 2')).toBe('SELECT 1; SELECT 2');
  expect(withoutSemicolon('SELECT 1;;')).toBe('SELECT 1;;');
  expect(withoutSemicolon('SELECT 1')).toBe('SELECT 1');
});
