import { LarderError, TAG_BYTES_MAX, TAGS_MAX } from '@larder/proto';
import { shownValue } from './shown-value.js';

/** Tags as given, each once. Throws BAD_ARGUMENT. */
export function checkedTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) throw badTags(tags, 'a list of texts');
  const distinct = [...new Set(tags)];
  if (distinct.length > TAGS_MAX) throw badTags(tags, `at most ${TAGS_MAX}; it has ${distinct.length}`);
  for (const tag of distinct) if (!isTag(tag)) throw badTags(tag, `texts of 1 to ${TAG_BYTES_MAX} bytes`);
  return distinct;
}

/** What is to be invalidated: one tag or several, at least one. Throws BAD_ARGUMENT. */
export function invalidatedTags(tags: string | readonly string[]): readonly string[] {
  const given = checkedTags(typeof tags === 'string' ? [tags] : tags);
  if (given.length === 0) throw badTags(tags, 'at least one tag; clear() forgets everything');
  return given;
}

function isTag(tag: unknown): boolean {
  if (typeof tag !== 'string' || /\p{Surrogate}/u.test(tag)) return false;
  const bytes = Buffer.byteLength(tag);
  return bytes >= 1 && bytes <= TAG_BYTES_MAX;
}

function badTags(given: unknown, allowed: string): LarderError {
  return new LarderError('BAD_ARGUMENT', `tags is ${shownValue(given)}; allowed are ${allowed}`, {
    outcome: 'not-applied',
  });
}
