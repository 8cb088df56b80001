/**
 * A query's text with other expressions in the place of its parameters. It knows where `$1` is none: within strings,
 * quoted identifiers and comments, and behind letters.
 */
export function withParameters(sql: string, expression: (parameter: number) => string): string {
  let text = '';
  for (let at = 0; at < sql.length; ) {
    const token = tokenAt(sql, at);
    const parameter = /^\$(\d+)$/.exec(token)?.[1];
    text += parameter === undefined ? token : expression(Number(parameter));
    at += token.length;
  }
  return text;
}

/** Without the semicolon at its end, which a part of another statement must not have. */
export function withoutSemicolon(sql: string): string {
  let last = -1;
  for (let at = 0; at < sql.length; ) {
    const token = tokenAt(sql, at);
    if (token === ';' && last < 0) last = at;
    else if (!/^(?:\s|--|\/\*)/.test(token)) last = -1;
    at += token.length;
  }
  return last < 0 ? sql : `${sql.slice(0, last)} ${sql.slice(last + 1)}`;
}

/** In order of precedence. https://www.postgresql.org/docs/current/sql-syntax-lexical.html */
const TOKENS = [
  /--[^\n]*/y,
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'?/y,
  /'(?:[^']|'')*'?/y,
  /"(?:[^"]|"")*"?/y,
  /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y,
  /(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?(?:\1|$)/y,
  /\$\d+/y,
  /\d[\w.]*/y,
];

function tokenAt(sql: string, at: number): string {
  if (sql.startsWith('/*', at)) return commentAt(sql, at);
  for (const token of TOKENS) {
    token.lastIndex = at;
    const found = token.exec(sql)?.[0];
    if (found !== undefined) return found;
  }
  return sql[at] as string;
}

/** These may hold others. */
function commentAt(sql: string, start: number): string {
  let depth = 0;
  for (let at = start; at < sql.length; at++) {
    const pair = sql.slice(at, at + 2);
    if (pair !== '/*' && pair !== '*/') continue;
    depth += pair === '/*' ? 1 : -1;
    at++;
    if (depth === 0) return sql.slice(start, at + 1);
  }
  return sql.slice(start);
}
