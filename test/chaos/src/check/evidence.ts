/**
 * Gathers what clients, nodes and database say during a run, and judges it: each key when its life is over, the rows when
 * all nodes have been drained.
 */
import { Histogram } from '@larder/base';
import type { FromClient } from '../load/client-messages.js';
import type { CacheKind, CallRecord } from './call-record.js';
import { type ChaosDatabase, TABLES } from './chaos-database.js';
import { judgeKey } from './judge-key.js';
import type { KeyHistories, KeyHistory } from './key-histories.js';
import { OwnerWatch } from './owner-watch.js';
import { backwardRows, finalRows, type RowChange } from './row-order.js';

/** After the end of a key's life: for the audit, and for the last call to be told of. */
const REST_MS = 27_000;
const STORIES_MAX = 50;
/** Of these keys the calls around the first contradiction are told. */
const TOLD_KEYS_MAX = 3;

export interface Counts {
  /** Writes. */
  acknowledged: number;
  /** Calls that were rejected, those with an unknown outcome among them. */
  failedCalls: number;
  unknownOutcomes: number;
  /** Acknowledged writes that are gone: from the cache, or from the table. */
  lost: number;
  /** Also rows that went back to an older value. */
  staleReads: number;
  /** Keys whose history was too tangled to be judged. */
  undecided: number;
}

export class Evidence {
  readonly counts: Counts = {
    acknowledged: 0,
    failedCalls: 0,
    unknownOutcomes: 0,
    lost: 0,
    staleReads: 0,
    undecided: 0,
  };
  /** How long the clients' calls took, retries included, whatever came of them. */
  readonly callTimes = new Histogram();
  readonly owners = new OwnerWatch();
  /** What was wrong, for people; the first fifty. */
  readonly stories: string[] = [];
  /** Whatever else went wrong: a client that ended, a node that could not be drained. */
  problems = 0;
  /** What the row of each key may be in the end; one small entry for each key that a table has had. */
  readonly #finalRows = new Map<string, ReadonlySet<string | undefined>>();
  readonly #errors = new Map<string, number>();
  #toldKeys = 0;

  constructor(
    private readonly database: ChaosDatabase,
    private readonly histories: KeyHistories,
  ) {}

  /** `countsFailures`: false for calls that are made to see how long something is away. */
  add(client: string, message: FromClient, countsFailures = true): void {
    if (message.kind === 'bug') this.problem(message.message);
    if (message.kind !== 'calls') return;
    for (const { record, endMs } of message.calls) {
      this.histories.add(record, endMs);
      this.#count(record, countsFailures);
    }
    this.histories.toldUntil(client, message.toldUntilMs);
  }

  problem(story: string): void {
    this.problems++;
    this.#tell(`problem: ${story}`);
  }

  /** Judges the keys whose lives are over; `all`: those that are alive as well. */
  async judge(all = false): Promise<void> {
    const ended = all ? this.histories.takeAll() : this.histories.take(REST_MS);
    for (const history of ended) this.#judgeCalls(history);
    for (const table of TABLES) {
      const ofTable = ended.filter(({ cache }) => cache === table);
      const keys = ofTable.map(({ key }) => key);
      const changes = await this.database.takeChanges(table, keys);
      for (const history of ofTable) this.#judgeRows(history, changes.get(history.key) ?? []);
    }
  }

  /** To be asked when all keys have been judged and all nodes have been drained. */
  async compareTables(): Promise<void> {
    for (const table of TABLES) {
      const rows = await this.database.rows(table);
      for (const [name, allowed] of this.#finalRows) {
        const [cache, key] = name.split('/') as [CacheKind, string];
        if (cache !== table || allowed.has(rows.get(key))) continue;
        this.counts.lost++;
        const expected = [...allowed].map((value) => value ?? 'no row').join(' or ');
        this.#tell(`lost: the row of ${name} is ${rows.get(key) ?? 'not there'}, and should be ${expected}`);
      }
    }
  }

  /** How often which error was met, the most frequent first. */
  get errors(): readonly (readonly [error: string, count: number])[] {
    return [...this.#errors].sort((a, b) => b[1] - a[1]);
  }

  #count({ outcome, kind, error, beganMs, endedMs }: CallRecord, countsFailures: boolean): void {
    if (countsFailures) this.callTimes.record(endedMs - beganMs);
    if (outcome === 'ok') {
      if (kind !== 'get') this.counts.acknowledged++;
      return;
    }
    // The set of a getOrSet has no outcome that anybody is told.
    if (error === undefined) return;
    this.#countError(countsFailures ? error : `(probe) ${error}`);
    if (!countsFailures) return;
    this.counts.failedCalls++;
    if (outcome === 'unknown') this.counts.unknownOutcomes++;
  }

  /** Without what differs from one to the next. */
  #countError(error: string): void {
    const name = error
      .replace('LarderError: ', '')
      .replace(/[^ ]*\d[^ ]*/g, '#')
      .slice(0, 120);
    if (this.#errors.has(name) || this.#errors.size < STORIES_MAX)
      this.#errors.set(name, (this.#errors.get(name) ?? 0) + 1);
  }

  #judgeCalls({ cache, key, calls }: KeyHistory): void {
    const { lost, staleReads, undecided, contradictions } = judgeKey(calls);
    this.counts.lost += lost;
    this.counts.staleReads += staleReads;
    if (undecided) this.counts.undecided++;
    if (lost + staleReads === 0) return;
    const first = contradictions[0] as CallRecord;
    this.#tell(`${lost} lost, ${staleReads} stale of ${cache}/${key}; the first contradiction is ${shown(first)}`);
    if (++this.#toldKeys > TOLD_KEYS_MAX) return;
    for (const call of nearby(calls, first)) this.#tell(`  ${shown(call)}`);
  }

  #judgeRows({ cache, key, calls }: KeyHistory, changes: readonly RowChange[]): void {
    this.#finalRows.set(`${cache}/${key}`, finalRows(calls));
    const backward = backwardRows(changes, calls);
    this.counts.staleReads += backward;
    if (backward > 0) {
      const values = changes.map(({ value }) => value ?? 'deleted');
      this.#tell(`${backward} times an older row of ${cache}/${key}: ${values.join(', ')}`);
      for (const call of calls)
        if (call.kind === 'set' && values.includes(`${call.value}`)) this.#tell(`  ${shown(call)}`);
    }
  }

  #tell(story: string): void {
    if (this.stories.length < STORIES_MAX) this.stories.push(story);
  }
}

const NEARBY_MS = 5_000;
const NEARBY_MAX = 20;

function nearby(calls: readonly CallRecord[], first: CallRecord): CallRecord[] {
  return calls
    .filter(({ beganMs, endedMs }) => beganMs <= first.endedMs + NEARBY_MS && endedMs > first.beganMs - NEARBY_MS)
    .sort((a, b) => a.beganMs - b.beganMs)
    .slice(0, NEARBY_MAX);
}

function shown({ kind, client, beganMs, endedMs, outcome, value, result, version }: CallRecord): string {
  const what = kind === 'set' ? `${value}` : `${String(result)}`;
  const times = `${beganMs.toFixed(1)}-${endedMs.toFixed(1)}`;
  return `${times} ${client} ${kind} ${what} ${outcome}${version === undefined ? '' : ` version ${version}`}`;
}
