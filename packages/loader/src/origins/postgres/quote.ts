/** An identifier as SQL text. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string constant as SQL text, for the places where SQL takes no parameter. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Texts as the literal of a PostgreSQL array, to be passed as one parameter. `arePlain`: none of them needs quotes. */
export function arrayLiteral(texts: readonly string[], arePlain: boolean): string {
  return `{${(arePlain ? texts : texts.map(quoteElement)).join(',')}}`;
}

function quoteElement(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
