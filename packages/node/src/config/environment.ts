import { type Document, isScalar, parse, Scalar, visit } from 'yaml';

/**
 * `${NAME}` and `${NAME:-default}` in the strings of a YAML document. It works on the parsed document, never on its
 * text, so that no value of a variable can add a line to the config. `$${` stands for a plain `${`.
 */

const REFERENCE = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export interface UnsetVariable {
  readonly path: readonly (string | number)[];
  readonly variable: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Replaces the references in place and returns those that have neither a value nor a default. */
export function substituteEnvironment(document: Document, environment: Environment): UnsetVariable[] {
  const unset: UnsetVariable[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const text = node.value.replace(REFERENCE, (reference, escaped, variable: string, fallback?: string) => {
        if (escaped) return '${';
        const value = environment[variable] || fallback;
        if (value === undefined) unset.push({ path: pathOf(key, ancestors), variable });
        return value ?? reference;
      });
      node.value = node.type === Scalar.PLAIN ? plainValue(text) : text;
    },
  });
  return unset;
}

/** What YAML makes of the text where it stands without quotes: `${POOL_SIZE}` may be a number. */
function plainValue(text: string): unknown {
  if (!/^[\w.+-]+$/.test(text)) return text;
  const value: unknown = parse(text);
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}

function pathOf(key: unknown, ancestors: readonly unknown[]): (string | number)[] {
  const path: (string | number)[] = [];
  for (const ancestor of ancestors) {
    if (!isPair(ancestor)) continue;
    path.push(isScalar(ancestor.key) ? String(ancestor.key.value) : '?');
  }
  if (typeof key === 'number') path.push(key);
  return path;
}

function isPair(node: unknown): node is { key: unknown } {
  return typeof node === 'object' && node !== null && 'key' in node && 'value' in node && !isScalar(node);
}
