// The text of docs/configuration.md, made from the catalogue of options in lib/flowstone.options.ts.

/**
 * @typedef {object} Option
 * @property {string} type
 * @property {unknown} default a function where it depends on other options; then `defaultText` says it
 * @property {string} [defaultText]
 * @property {string} [environment]
 * @property {string} description
 */

const UNITS = /** @type {const} */ ([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]);

/**
 * @param {Readonly<Record<string, Option>>} catalogue
 * @returns {string}
 */
export function configurationPage(catalogue) {
  const sections = Object.entries(catalogue).map(([name, option]) =>
    [
      `## ${name}`,
      '',
      option.description,
      '',
      `- Type: \`${option.type}\``,
      `- Default: ${defaultOf(option)}`,
      `- Environment: ${option.environment === undefined ? 'none' : `\`${option.environment}\``}`,
      '',
    ].join('\n'),
  );
  return [
    '# Configuration',
    '',
    'Written by `npm run docs` from `lib/flowstone.options.ts`.',
    '',
    'What `FlowStoneModule.forRoot()` and `forRootAsync()` take. Every option has a default. An option that is not given is',
    'read from its environment variable, where it has one. A duration is a number of milliseconds or a text such as `500ms`,',
    '`10s`, `2m`, `1h` or `1d`. What is wrong is reported at boot, all of it at once.',
    '',
    ...sections,
  ].join('\n');
}

/** @param {Option} option */
function defaultOf(option) {
  if (option.defaultText !== undefined) return option.defaultText;
  if (option.type === 'duration' && typeof option.default === 'number') return `\`${durationText(option.default)}\``;
  const { default: value } = option;
  return `\`${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}\``;
}

/** @param {number} ms */
function durationText(ms) {
  const [unit, length] = UNITS.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1];
  return ms === 0 ? '0' : `'${ms / length}${unit}'`;
}
