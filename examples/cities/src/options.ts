import { parseArgs } from 'node:util';

export interface Options {
  /** How long the visitors visit. */
  readonly seconds: number;
  /** End afterwards instead of staying up. */
  readonly exit: boolean;
  /** The results as JSON on the last line of standard output; everything else goes to standard error. */
  readonly json: boolean;
}

export const USAGE = `npm start -- [--seconds N] [--exit] [--json]

  --seconds N  how long the visitors visit: 1 to 3600, by default 15
  --exit       end afterwards; without it the cluster stays up until Ctrl-C
  --json       the results as one JSON object on the last line of standard output

DATABASE_URL=postgres://user:password@host:5432/database uses that PostgreSQL instead of one that is started for you.
Everything is kept in its schema larder_demo; no other table is touched.`;

const SECONDS_DEFAULT = 15;
const SECONDS_MAX = 3600;

/** 'help' if that was asked for. Throws an Error that says what is allowed. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      exit: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const seconds = values.seconds === undefined ? SECONDS_DEFAULT : Number(values.seconds);
  if (!(seconds >= 1 && seconds <= SECONDS_MAX))
    throw new Error(`--seconds is '${values.seconds}'; allowed are 1 to ${SECONDS_MAX}`);
  return { seconds, exit: values.exit, json: values.json };
}
