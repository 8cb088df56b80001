/** An identifier as SQL text. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string constant as SQL text, for the places where SQL takes no parameter. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Texts as the literal of a PostgreSQL array, to be passed as one parameter. */
export function arrayLiteral(texts: readonly string[]): string {
  let literal = '{';
  for (const [index, text] of texts.entries()) {
    if (index > 0) literal += ',';
    literal += PLAIN.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`;
  }
  return `${literal}}`;
}

/** Numbers, uuids and simple words need no quotes; `null` is a word that does. */
const PLAIN = /^(?!null$)[\w.-]+$/i;
