/**
 * Command lines of benches: each bench declares its options, a bad one is named together with what is allowed.
 *
 *   const options = parseOptions(argv, { seconds: decimal({ otherwise: 1, min: 0.05, max: 60 }), pin: flag(true) });
 *   options.seconds   // number; from `--seconds 2` or `--seconds=2`
 *   options.pin       // boolean; from `--pin` or `--no-pin`
 *
 * Keys are written in camel case here and with dashes on the command line.
 */

/** A command line that cannot be run; `main` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Option<T> {
  readonly otherwise: T;
  /** What a value may be, as the user reads it. */
  readonly allowed: string;
  /** A flag takes no value. */
  readonly isFlag: boolean;
  /** Returns undefined for a value that is not allowed. */
  parse(text: string): T | undefined;
}

type Options = Readonly<Record<string, Option<unknown>>>;
export type Parsed<O extends Options> = { readonly [Name in keyof O]: O[Name] extends Option<infer T> ? T : never };

export function parseOptions<O extends Options>(argv: readonly string[], options: O): Parsed<O> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) values[name] = option.otherwise;
  for (let index = 0; index < argv.length; index++) {
    const { dashed, inline } = splitArgument(argv[index]!);
    const { name, option, negated } = findOption(dashed, options);
    if (option.isFlag) {
      if (inline !== undefined) throw new UsageError(`--${dashed} takes no value, got '${inline}'`);
      values[name] = !negated;
      continue;
    }
    const text = inline ?? argv[++index];
    const value = text === undefined ? undefined : option.parse(text);
    if (value === undefined) {
      throw new UsageError(
        `--${dashed} must be ${option.allowed}, got ${text === undefined ? 'nothing' : `'${text}'`}`,
      );
    }
    values[name] = value;
  }
  // Every value came from the option of its own name.
  return values as Parsed<O>;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function decimal({ otherwise, min, max }: Range & { otherwise: number }): Option<number> {
  return {
    otherwise,
    allowed: `a number from ${min} to ${max}`,
    isFlag: false,
    parse: (text) => numberWithin(text, min, max),
  };
}

export function integer({ otherwise, min, max }: Range & { otherwise: number }): Option<number> {
  return {
    otherwise,
    allowed: `an integer from ${min} to ${max}`,
    isFlag: false,
    parse: (text) => integerWithin(text, min, max),
  };
}

export function integers({ otherwise, min, max }: Range & { otherwise: readonly number[] }): Option<readonly number[]> {
  return {
    otherwise,
    allowed: `integers from ${min} to ${max} with commas between them`,
    isFlag: false,
    parse: (text) => allDefined(text.split(',').map((item) => integerWithin(item, min, max))),
  };
}

/** A choice of one or more of `known`; all of them by default. */
export function names<Name extends string>(known: readonly Name[]): Option<readonly Name[]> {
  return {
    otherwise: known,
    allowed: `some of ${known.join(', ')} with commas between them`,
    isFlag: false,
    parse: (text) => allDefined(text.split(',').map((item) => known.find((name) => name === item))),
  };
}

/** Any non-empty text. */
export function text(allowed: string): Option<string | undefined> {
  return { otherwise: undefined, allowed, isFlag: false, parse: (given) => (given === '' ? undefined : given) };
}

export function flag(otherwise: boolean): Option<boolean> {
  return { otherwise, allowed: 'given or not', isFlag: true, parse: () => true };
}

function splitArgument(argument: string): { dashed: string; inline: string | undefined } {
  const match = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(argument);
  if (match === null) throw new UsageError(`options look like --name value, got '${argument}'`);
  return { dashed: match[1]!, inline: match[2] };
}

function findOption(dashed: string, options: Options): { name: string; option: Option<unknown>; negated: boolean } {
  for (const [name, option] of Object.entries(options)) {
    if (dashed === dashes(name)) return { name, option, negated: false };
    if (option.isFlag && dashed === `no-${dashes(name)}`) return { name, option, negated: true };
  }
  const known = Object.entries(options).map(([name, option]) => `--${option.isFlag ? '[no-]' : ''}${dashes(name)}`);
  throw new UsageError(`unknown option --${dashed}; allowed are ${known.join(', ') || 'none'}`);
}

function dashes(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function numberWithin(text: string, min: number, max: number): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return value >= min && value <= max ? value : undefined;
}

function integerWithin(text: string, min: number, max: number): number | undefined {
  const value = numberWithin(text, min, max);
  return Number.isInteger(value) ? value : undefined;
}

function allDefined<T>(values: readonly (T | undefined)[]): T[] | undefined {
  const defined = values.filter((value) => value !== undefined);
  return defined.length === values.length ? defined : undefined;
}
