import { TAGS_MAX } from '@larder/proto';
import { hashesOfTexts, isTagText, type TagHashes } from './tag-hashes.js';

/**
 * The tags that a cache's policy gives to values that come without any, by templates such as `product:{id}`, where the
 * name in braces is a field of a JSON object. A template gives no tag if the value is no JSON object, if a field is missing,
 * null, or itself an object or list, or a whole number that JavaScript cannot tell from its neighbours, or if the tag would be
 * too long.
 */
export class ValueTags {
  readonly #templates: readonly Template[];
  readonly #needsFields: boolean;

  /** Of checked templates. */
  constructor(templates: readonly string[]) {
    this.#templates = templates.map((text) => parseTemplate(text) as Template);
    this.#needsFields = this.#templates.some((template) => template.length > 1);
  }

  /** Whether values that come without tags may get some. */
  get any(): boolean {
    return this.#templates.length > 0;
  }

  /** Of value bytes [start, end); undefined: none. */
  of(value: Uint8Array, start: number, end: number): TagHashes | undefined {
    if (this.#templates.length === 0) return undefined;
    const fields = this.#needsFields ? fieldsOf(value, start, end) : {};
    const tags = this.#templates.map((template) => tagOf(template, fields)).filter((tag) => tag !== undefined);
    return tags.length === 0 ? undefined : hashesOfTexts(tags);
  }
}

/** What is wrong with the templates of a policy. Undefined: nothing. */
export function templateMistake(templates: readonly string[]): string | undefined {
  if (templates.length > TAGS_MAX) return `at most ${TAGS_MAX} templates`;
  const isWrong = templates.some((text) => parseTemplate(text) === undefined || !isTagText(text));
  return isWrong ? "templates of 1 to 128 bytes such as 'product:{id}', with names of fields in braces" : undefined;
}

/** The fields that the checked templates name. */
export function templateFields(templates: readonly string[]): string[] {
  return templates.flatMap((text) => parseTemplate(text)!.filter((_, index) => index % 2 === 1));
}

/** Texts and names of fields in turn: it begins and ends with a text, which may be empty. */
type Template = readonly string[];

function parseTemplate(text: string): Template | undefined {
  const parts = text.split(/\{([^{}]+)\}/);
  const hasStrayBrace = parts.some((part, index) => index % 2 === 0 && /[{}]/.test(part));
  return hasStrayBrace ? undefined : parts;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: Uint8Array, start: number, end: number): Fields {
  try {
    const { buffer, byteOffset } = value;
    const parsed: unknown = JSON.parse(Buffer.from(buffer, byteOffset + start, end - start).toString());
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Fields) : {};
  } catch {
    return {};
  }
}

function tagOf(template: Template, fields: Fields): string | undefined {
  let tag = template[0]!;
  for (let index = 1; index < template.length; index += 2) {
    const text = fieldText(fields, template[index]!);
    if (text === undefined) return undefined;
    tag += text + template[index + 1]!;
  }
  return isTagText(tag) ? tag : undefined;
}

function fieldText(fields: Fields, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
