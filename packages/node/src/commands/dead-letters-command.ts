import { ExitCode, startFault } from '../exit-code.js';
import type { ListDeadLettersResponse, ListedDeadLetter } from '../server/dead-letters.js';
import { askMembers, askStatus, type NodeAnswer } from './asked-nodes.js';
import { connectedArguments, usage } from './connected-arguments.js';
import { countOf, durationText, listText, tableLines } from './figures.js';

/**
 * `larder-node dead-letters`: rows of write-behind that the database refuses, over all nodes. What is asked of one node is
 * asked of all: a dead letter is at the owner of its key, and that may change while somebody types.
 */
const DEAD_LETTERS_FORM = 'list [CACHE], show CACHE KEY, retry CACHE [KEY] or discard CACHE KEY';

interface FoundLetter extends ListedDeadLetter {
  readonly nodeId: string;
}

interface Asked {
  readonly address: string;
  readonly cache: string;
  readonly key: string;
}

interface Told {
  readonly json: object;
  readonly text: string;
}

/** Throws BAD_ARGUMENT, UNKNOWN_CACHE or UNAVAILABLE with the exit code. */
export async function deadLettersCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const { address, isJson, words } = connectedArguments(args, DEAD_LETTERS_FORM, 1, 3);
  const [action = '', cache = '', key = ''] = words;
  const allowed = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (allowed === undefined || words.length < allowed.wordsMin || words.length > allowed.wordsMax) {
    throw usage(`${JSON.stringify(words.join(' '))} is given; allowed is ${DEAD_LETTERS_FORM}`);
  }
  const { json, text } = await allowed.run({ address, cache, key });
  print(isJson ? JSON.stringify(json) : text);
}

const ACTIONS: Readonly<Record<string, { wordsMin: number; wordsMax: number; run: (asked: Asked) => Promise<Told> }>> =
  {
    list: { wordsMin: 1, wordsMax: 2, run: list },
    show: { wordsMin: 3, wordsMax: 3, run: show },
    retry: { wordsMin: 2, wordsMax: 3, run: (asked) => handle('RetryDeadLetters', 'to be tried again', asked) },
    discard: { wordsMin: 3, wordsMax: 3, run: (asked) => handle('DiscardDeadLetters', 'discarded', asked) },
  };

async function list(asked: Asked): Promise<Told> {
  const answers = await askAll<ListDeadLettersResponse>('ListDeadLetters', asked);
  const letters = lettersOf(answers);
  const total = answers.reduce((sum, { answer }) => sum + (answer?.total ?? 0), 0);
  const rows = letters.map(({ nodeId, cache, key, attempts, ageMs, ...letter }) => [
    ...[nodeId, cache, key, String(attempts), durationText(ageMs), againText(letter), faultText(letter)],
  ]);
  const table = rows.length === 0 ? [] : tableLines([TITLES, ...rows]);
  const summary =
    countOf(total, 'dead letter') + (total > letters.length ? `, of which ${letters.length} are shown` : '');
  return {
    json: { total, letters, silent: silentOf(answers) },
    text: [...table, summary, ...silentLines(answers)].join('\n'),
  };
}

const TITLES = ['node', 'cache', 'key', 'attempts', 'for', 'again', 'error'];

async function show(asked: Asked): Promise<Told> {
  const answers = await askAll<ListDeadLettersResponse>('ListDeadLetters', asked);
  const [letter] = lettersOf(answers);
  if (letter === undefined) throw nothingThere(asked, answers);
  const { nodeId, cache, key, code, message, attempts, ageMs } = letter;
  const lines = [
    `cache ${cache}, key ${JSON.stringify(key)}, at node ${nodeId}`,
    `  error           ${code}: ${message}`,
    `  refused         ${countOf(attempts, 'time')}, written ${durationText(ageMs)} ago`,
    `  again           ${againText(letter)}`,
  ];
  return { json: letter, text: lines.join('\n') };
}

async function handle(method: string, what: string, asked: Asked): Promise<Told> {
  const answers = await askAll<{ readonly count: number }>(method, asked);
  const count = answers.reduce((sum, { answer }) => sum + (answer?.count ?? 0), 0);
  if (count === 0 && asked.key !== '') throw nothingThere(asked, answers);
  return {
    json: { count, silent: silentOf(answers) },
    text: [`${countOf(count, 'dead letter')} ${what}`, ...silentLines(answers)].join('\n'),
  };
}

/** What a node says of the question itself, such as UNKNOWN_CACHE, all would say. */
async function askAll<Answer extends object>(method: string, { address, cache, key }: Asked) {
  const answers = await askMembers<Answer>(await askStatus(address), method, { cache, key });
  const fault = answers.find(({ error }) => error?.code === 'UNKNOWN_CACHE' || error?.code === 'BAD_ARGUMENT');
  if (fault?.error !== undefined) throw fault.error;
  return answers;
}

function lettersOf(answers: readonly NodeAnswer<ListDeadLettersResponse>[]): FoundLetter[] {
  return answers.flatMap(({ answer }) => {
    const { nodeId = '', letters = [] } = answer ?? {};
    return letters.map((letter) => {
      const { _retryInMs, ...listed } = letter as ListedDeadLetter & { readonly _retryInMs?: string };
      return { nodeId, ...listed };
    });
  });
}

function againText({ retryInMs }: Pick<ListedDeadLetter, 'retryInMs'>): string {
  return retryInMs === undefined ? 'when somebody asks' : `in ${durationText(retryInMs)}`;
}

/** Without the message, in which the database may quote values. */
function faultText({ code, sqlState, constraint, column }: Partial<ListedDeadLetter>): string {
  const more = [sqlState && `SQLSTATE ${sqlState}`, constraint, column && `column ${column}`].filter(Boolean);
  return listText([code, ...more]);
}

function silentOf(answers: readonly NodeAnswer<object>[]): string[] {
  return answers.flatMap(({ nodeId, error }) => (error === undefined ? [] : [nodeId]));
}

function silentLines(answers: readonly NodeAnswer<object>[]): string[] {
  return answers.flatMap(({ nodeId, address, error }) =>
    error === undefined ? [] : [`node ${nodeId} does not answer at ${address}: its dead letters are not counted`],
  );
}

function nothingThere({ cache, key }: Asked, answers: readonly NodeAnswer<object>[]): Error {
  const silent = silentOf(answers);
  const doubt = silent.length === 0 ? '' : `; ${silent.join(', ')} did not answer`;
  const message = `cache ${cache} has no dead letter with the key ${JSON.stringify(key)}${doubt}`;
  return startFault(ExitCode.nothingThere, 'BAD_ARGUMENT', message);
}
