import { hashesOfTexts, isTagText, type TagHashes, tagHash, tagHashes } from '@larder/loader';
import { LarderError, type SessionRequestReader, TAG_BYTES_MAX, TAGS_MAX } from '@larder/proto';

/** The tags of an operation of a session. Undefined: it names none. An error: what is wrong with them. */
export function readTags(reader: SessionRequestReader): TagHashes | LarderError | undefined {
  const { bytes, tagCount, tagStarts, tagEnds } = reader;
  if (tagCount === 0) return undefined;
  if (tagCount > TAGS_MAX) return tooMany(tagCount);
  const hashes: number[] = [];
  for (let index = 0; index < tagCount; index++) {
    const start = tagStarts[index]!;
    const end = tagEnds[index]!;
    if (end === start || end - start > TAG_BYTES_MAX) return wrongLength(end - start);
    hashes.push(tagHash(bytes, start, end));
  }
  return tagHashes(hashes);
}

/** Those that came through a generated codec. Throws BAD_ARGUMENT. */
export function tagsOf(texts: readonly string[] | undefined): TagHashes | undefined {
  if (texts === undefined || texts.length === 0) return undefined;
  if (texts.length > TAGS_MAX) throw tooMany(texts.length);
  for (const text of texts) if (!isTagText(text)) throw wrongLength(Buffer.byteLength(text));
  return hashesOfTexts(texts);
}

function tooMany(count: number): LarderError {
  return badTags(`tags has ${count} entries; allowed are up to ${TAGS_MAX}`);
}

function wrongLength(bytes: number): LarderError {
  return badTags(`tags has an entry of ${bytes} bytes; allowed are 1 to ${TAG_BYTES_MAX}`);
}

function badTags(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}
