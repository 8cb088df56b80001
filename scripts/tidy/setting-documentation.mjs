/** @typedef {import('./source-file.mjs').SourceFile} SourceFile */

const DOCUMENTATION_PATH = 'docs/running.md';

/** The interfaces that say what may stand in a configuration file. */
const INTERFACES =
  /^export interface (NodeConfig|NodeLimits|(?!Resolved)[A-Za-z]+Policy|(?:Postgres|Module)[A-Za-z]+Options) \{/;
const PLACES = /^packages\/(node\/src\/config\.ts|loader\/src\/(policy|origins\/.*-(options|policy))\.ts)$/;

/**
 * Every setting of the configuration is in the documentation, by its name in backticks.
 * @param {readonly SourceFile[]} files
 */
export function settingDocumentationComplaints(files) {
  const documented = files.find((file) => file.path === DOCUMENTATION_PATH)?.lines.join('\n') ?? '';
  return files
    .filter((file) => PLACES.test(file.path))
    .flatMap((file) =>
      settingsOf(file)
        .filter(({ name }) => !new RegExp(`\`([a-z]+\\.)?${name}[\`.]`).test(documented))
        .map(({ name, line }) => ({ path: file.path, line, message: `${name} is not in ${DOCUMENTATION_PATH}` })),
    );
}

/** @param {SourceFile} file */
function settingsOf(file) {
  /** @type {{ name: string, line: number }[]} */
  const settings = [];
  let inside = false;
  file.lines.forEach((text, index) => {
    if (INTERFACES.test(text)) inside = true;
    else if (text.startsWith('}')) inside = false;
    const name = inside ? /^ {2}readonly (\w+)\??:/.exec(text)?.[1] : undefined;
    if (name !== undefined) settings.push({ name, line: index + 1 });
  });
  return settings;
}
