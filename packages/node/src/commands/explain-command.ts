import type { ExplainResponse, OriginCall } from '../server/explain.js';
import { askNode } from './asked-nodes.js';
import { connectedArguments } from './connected-arguments.js';
import { bytesText, countOf, durationText } from './figures.js';

/** `larder-node explain`: what the owner of a key knows of it. As text or as JSON. */

/** Throws BAD_ARGUMENT, UNKNOWN_CACHE or UNAVAILABLE with the exit code. */
export async function explainCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const { address, isJson, words } = connectedArguments(args, 'CACHE KEY', 2, 2);
  const [cache, key] = words as [string, string];
  const explained = await askNode<ExplainResponse>(address, 'Explain', { cache, key: Buffer.from(key) });
  const { _ageMs, ...facts } = explained as ExplainResponse & { readonly _ageMs?: string };
  print(isJson ? JSON.stringify({ cache, key, ...facts }) : explanationText(cache, key, explained));
}

export function explanationText(cache: string, key: string, explained: ExplainResponse): string {
  const { partition, owner, successor, nodeId, unserved } = explained;
  const place = `partition ${partition}, owner ${owner || 'none'}, successor ${successor || 'none'}`;
  const lines = unserved === '' ? factLines(explained) : [line('unknown', `${unserved}, says ${nodeId}`)];
  return [
    `cache ${cache}, key ${JSON.stringify(key)}`,
    line('place', place),
    line('strategies', `read ${explained.read}, write ${explained.write}`),
    ...lines,
  ].join('\n');
}

function factLines(explained: ExplainResponse): string[] {
  const { epoch, seq, valueBytes, state, loading, waiting, lastLoad, lastWrite } = explained;
  const isThere = state !== 'absent';
  return [
    line('state', STATES[state] ?? state),
    isThere && line('version', `epoch ${epoch}, seq ${seq}`),
    (state === 'present' || state === 'stale') && line('value', bytesText(valueBytes)),
    isThere && line('age', ageText(explained)),
    isThere && line('life', lifeText(explained)),
    explained.tags > 0 && line('tags', String(explained.tags)),
    explained.dirty && line('pending', pendingText(explained)),
    explained.unsure && line('unsure', 'a write to the database is under way'),
    loading && line('loading', `a load is under way; ${countOf(waiting, 'get waits', 'gets wait')} for it`),
    lastLoad !== null && line('last load', callText(lastLoad)),
    lastWrite !== null && line('last write', callText(lastWrite)),
    line(isThere ? 'last miss' : 'missing', causeText(explained)),
  ].filter((text) => text !== false);
}

const STATES: Readonly<Record<string, string>> = {
  present: 'present',
  absent: 'absent',
  stale: 'its life is over; kept for when the database fails',
  negative: 'known to have no row in the database',
  deleted: 'deleted; the delete is not in the database yet',
};

function line(subject: string, text: string): string {
  return `  ${subject.padEnd(16)}${text}`;
}

function ageText({ ageMs, ageFrom }: ExplainResponse): string {
  if (ageMs === undefined) return 'not known';
  return ageFrom === 'ttl'
    ? `at most ${durationText(ageMs)}, by its ttl`
    : `${durationText(ageMs)}, since its ${ageFrom}`;
}

function lifeText({ ttlMs, dirty }: ExplainResponse): string {
  if (ttlMs < 0) return 'never expires';
  if (ttlMs === 0) return 'over';
  return `${durationText(ttlMs)} left${dirty ? ', and longer until it is in the database' : ''}`;
}

function pendingText({ refusals }: ExplainResponse): string {
  const letter = refusals > 0 ? `; refused ${countOf(refusals, 'time')}, see larder-node dead-letters show` : '';
  return `acknowledged, and not in the database yet${letter}`;
}

function callText({ agoMs, tookMs, outcome }: OriginCall): string {
  return `${outcome}, ${durationText(agoMs)} ago, took ${durationText(tookMs)}`;
}

function causeText({ missCause, state }: ExplainResponse): string {
  const isThere = state !== 'absent';
  if (missCause === 'cold') return isThere ? 'not remembered' : 'never here, or too long ago to be remembered';
  return CAUSES[missCause] ?? missCause;
}

const CAUSES: Readonly<Record<string, string>> = {
  expired: 'its life was over',
  evicted: 'evicted, to make room',
  invalidated: 'deleted, invalidated, or written past the memory',
  moved: 'its partition was dropped here or began anew, empty',
  loadFailed: 'the last load failed',
};
