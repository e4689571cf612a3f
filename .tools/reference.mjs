/**
 * Writes the generated parts of the manual, packages/docs:
 *
 *   reference.mjs           writes the pages
 *   reference.mjs --check   names the pages that are not current; exit code 1 if there are any
 *
 * A generated part is between the lines `<!-- generated NAME -->` and `<!-- /generated -->`. Its content comes from the compiled program:
 * the help of the command, and the tables of settings and error codes. `/metrics` and `/openapi.json` come from a coordinator that this
 * script starts. The index of decisions comes from the pages of the packages. `test/docs/reference.test.ts` fails while a page is not current.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Folders with generated pages. */
const FOLDERS = ['packages/docs/reference', 'packages/docs/decisions'];
const COMMAND = join(ROOT, 'packages', 'cli', 'bin', 'rollcall.js');
const COMMANDS = join(ROOT, 'packages', 'cli', 'dist', 'commands');
const MAX_COLUMNS = 120;
const PART = /(<!-- generated ([a-z-]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g;

/** Options of `up` by topic, for the settings page. Options in no topic come last. */
const TOPICS = {
  'Where it listens': ['proxy', 'control', 'agents', 'tls', 'proxyProtocol', 'controlUrl', 'controlHost', 'advertise'],
  'Certificates and secrets': [
    ...['tlsCert', 'tlsKey', 'controlCert', 'controlKey', 'controlClientCa', 'upstreamCa', 'upstreamName'],
    ...['stickySecretFile', 'tokenDir'],
  ],
  'Who may do what': ['nodeAllow', 'adminAllow', 'trustedProxy', 'forwarded', 'controlTrustedProxy', 'quota'],
  'What the proxy does': [
    ...['exclude', 'static', 'healthPath', 'errorPage', 'headerTimeout', 'bodyTimeout', 'upstreamTimeout', 'limit'],
  ],
  'Processes, state and logs': [
    ...['workers', 'grace', 'heartbeat', 'store', 'stateDir', 'accessLog', 'accessLogFormat', 'logLevel', 'config'],
    'json',
  ],
};

/** The current text of each page with generated parts, by its path below the root of the workspace. */
export async function currentPages() {
  const parts = {
    ...(await commandParts()),
    ...(await settingParts()),
    ...(await codeParts()),
    ...(await servedParts()),
    ...decisionParts(),
  };
  const pages = new Map();
  const unused = new Set(Object.keys(parts));
  for (const path of FOLDERS.flatMap((folder) => pagesIn(folder))) {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const current = text.replace(PART, (_, start, part, end) => {
      if (parts[part] === undefined) throw new Error(`${path}: there is no generated part ${part}`);
      unused.delete(part);
      return `${start}\n${parts[part].trim()}\n\n${end}`;
    });
    if (text.includes('<!-- generated ')) pages.set(path, current);
  }
  if (unused.size > 0) throw new Error(`no page has the generated part ${[...unused].join(', ')}`);
  return pages;
}

function pagesIn(folder) {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.md'));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** The commands of `rollcall` in the order of its help, each with its subcommands: `{ words, description, help, options }`. */
export async function commands() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, '--help'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`rollcall --help failed: ${stderr}`);
  const made = new Map();
  for (const file of readdirSync(COMMANDS).filter((name) => name.endsWith('.js')))
    for (const [name, make] of Object.entries(await import(join(COMMANDS, file))))
      if (/^[a-z]+(?:[A-Z][a-z]+)*Command$/.test(name) && make.length === 0) made.set(make().name(), make());
  const found = [];
  for (const name of namesIn(stdout)) {
    const command = made.get(name);
    if (command === undefined) throw new Error(`dist/commands has no command ${name}`);
    new command.constructor('rollcall').addCommand(command);
    found.push(described([name], command));
    for (const below of command.commands) found.push(described([name, below.name()], below));
  }
  return found;
}

/** The help is that of a terminal with 80 columns. */
function described(words, command) {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 }).outputHelp();
  return { words, description: command.description(), help, options: optionsOf(help) };
}

/** Names of the commands in the help `text`, in order, without `help`. */
function namesIn(text) {
  const [, list = ''] = /^Commands:\n((?: {2}.*\n?)+)/m.exec(text) ?? [];
  return [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name).filter((name) => name !== 'help');
}

async function commandParts() {
  const all = await commands();
  const shared = all.find(({ words, options }) => words[0] !== 'up' && options.has('--state-dir')).options;
  const common = [...shared].filter(([long]) => COMMON.has(long)).map(([, text]) => text);
  const list = all.map(({ words, description }) => {
    const name = `rollcall ${words.join(' ')}`;
    return item(`[\`${name}\`](#${name.replaceAll(' ', '-')}): ${plain(description)}`);
  });
  const sections = all.map(({ words, help, options }) => {
    const isClient = options.has('--state-dir') && words[0] !== 'up';
    return `### rollcall ${words.join(' ')}\n\n\`\`\`text\n${wrapped(isClient ? withoutCommon(help) : help)}\n\`\`\``;
  });
  return {
    'command-list': list.join('\n'),
    'common-options': `\`\`\`text\n${common.join('\n')}\n\`\`\``,
    commands: sections.join('\n\n'),
  };
}

/** Options that every command has which connects to a coordinator. */
const COMMON = new Set(['--coordinator', '--state-dir', '--ca', '--client-cert', '--client-key', '--json', '--help']);

/** The options of a help text: long name → its lines. */
function optionsOf(help) {
  const options = new Map();
  let current;
  for (const row of help.split('\n')) {
    const [, long] = /^ {2}(?:-\w, )?(--[a-z-]+)/.exec(row) ?? [];
    if (long !== undefined) options.set(long, row);
    else if (current !== undefined && /^ {20,}\S/.test(row)) options.set(current, `${options.get(current)}\n${row}`);
    else if (row.trim() === '' || /^\S/.test(row)) current = undefined;
    current = long ?? current;
  }
  return options;
}

function withoutCommon(help) {
  let text = help;
  for (const [long, lines] of optionsOf(help)) if (COMMON.has(long)) text = text.replace(`${lines}\n`, '');
  return text.replace(/Options:\n(?=\n|$)/, '').replace(/\n{3,}/g, '\n\n');
}

/** Help with lines of at most MAX_COLUMNS. The rest of a long line is indented as its last column. */
function wrapped(help) {
  const rows = help.trimEnd().split('\n');
  return rows.flatMap((row) => wrappedRow(row)).join('\n');
}

function wrappedRow(row) {
  if (row.length <= MAX_COLUMNS) return [row];
  const indent = /^ {2}\S+ {2,}(?:\S+ {2,})?/.exec(row)?.[0].length ?? 0;
  const at = row.lastIndexOf(' ', MAX_COLUMNS);
  if (at <= indent) return [row];
  return [row.slice(0, at), ...wrappedRow(`${' '.repeat(indent)}${row.slice(at + 1)}`)];
}

async function settingParts() {
  const { upCommand } = await import('../packages/cli/dist/commands/up.js');
  const { SETTINGS } = await import('../packages/cli/dist/settings/vocabulary.js');
  const { settingOptions } = await import('../packages/cli/dist/settings/start-settings.js');
  const { limitsHelp } = await import('../packages/cli/dist/settings/limits.js');
  const { quotasHelp } = await import('../packages/cli/dist/settings/quotas.js');
  const options = upCommand().options.filter(({ long }) => long !== '--help');
  const ofBalancers = new Set(settingOptions().map((option) => option.name()));
  const rest = new Set(options.filter((option) => !ofBalancers.has(option.name())));
  const sections = Object.entries(TOPICS).map(([topic, keys]) => {
    const rows = keys.map((key) => [...rest].find((option) => option.attributeName() === key)).filter(Boolean);
    for (const option of rows) rest.delete(option);
    return `### ${topic}\n\n${rows.map(settingRow).join('\n')}`;
  });
  if (rest.size > 0) sections.push(`### Others\n\n${[...rest].map(settingRow).join('\n')}`);
  return {
    settings: sections.join('\n\n'),
    'balancer-settings': Object.entries(SETTINGS)
      .map(([key, { help, unset }]) => {
        const fields = fieldsOf(unset).map((field) => `\`${field}\``);
        return item(`\`${key}\`: ${plain(help)}; in the API ${fields.join(' and ')}`);
      })
      .join('\n'),
    limits: `\`\`\`text\n${wrapped(limitsHelp())}\n\`\`\``,
    quotas: `\`\`\`text\n${wrapped(quotasHelp())}\n\`\`\``,
  };
}

/** Fields of the admin API that a patch has: `limits.upstreamTimeoutMs`. */
function fieldsOf(patch, at = '') {
  return Object.entries(patch).flatMap(([key, value]) =>
    value === null ? [at + key] : fieldsOf(value, `${at}${key}.`),
  );
}

function settingRow(option) {
  const { defaultValue, description, argChoices, envVar, variadic } = option;
  const isPlain = ['string', 'number'].includes(typeof defaultValue);
  const rest = [
    variadic && 'a list in the file',
    argChoices && `one of ${argChoices.map((choice) => `\`${choice}\``).join(', ')}`,
    isPlain && `default \`${defaultValue}\``,
  ].filter(Boolean);
  const variable = envVar === undefined ? '' : ` (\`${envVar}\`)`;
  const end = rest.length > 0 ? `; ${rest.join('; ')}` : '';
  return item(`\`${option.attributeName()}\`${variable}: ${plain(description)}${end}`);
}

async function codeParts() {
  const { ERROR_CODES } = await import('../packages/protocol/dist/error-codes.js');
  const rows = Object.entries(ERROR_CODES).map(([code, { http, close, means }]) =>
    item(`\`${code}\` (${close === undefined ? http : `${http}, close ${close}`}): ${plain(means)}`),
  );
  return { 'error-codes': rows.join('\n') };
}

/** `/metrics` and `/openapi.json` of a coordinator without nodes. */
async function servedParts() {
  const tables = await metricTables();
  const state = mkdtempSync(join(tmpdir(), 'rollcall-reference-'));
  const args = ['up', '--json', '--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', '--log-level', 'error'];
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const environment = Object.entries(inherited).filter(([name]) => !name.startsWith('ROLLCALL_'));
  const child = spawn(process.execPath, [COMMAND, ...args, '--store', 'memory', '--state-dir', state], {
    cwd: state,
    env: Object.fromEntries(environment),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const url = await new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => resolve(JSON.parse(line).controlUrl));
      void ended.then((code) => reject(new Error(`rollcall up ended with ${code}`)));
    });
    const read = async (path) => (await fetch(new URL(path, url))).text();
    return {
      metrics: metricsPart(await read('/metrics'), tables),
      'admin-api': apiPart(JSON.parse(await read('/openapi.json'))),
    };
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(state, { recursive: true, force: true });
  }
}

/** Tables of metrics by the title of their section, each with the labels that all its metrics have. */
async function metricTables() {
  const folder = '../packages/coordinator/dist/admin';
  const { CLUSTER_METRICS } = await import(`${folder}/cluster-metrics.js`);
  const { PROCESS_METRICS } = await import(`${folder}/process-metrics.js`);
  const { BALANCER_METRICS } = await import(`${folder}/balancer-metrics.js`);
  const { NODE_METRICS } = await import(`${folder}/node-metrics.js`);
  return [
    ['Cluster and proxy', [], CLUSTER_METRICS],
    ['Balancers', ['balancer'], BALANCER_METRICS],
    ['Nodes', ['node', 'balancer'], NODE_METRICS],
    ['Processes', [], PROCESS_METRICS],
  ];
}

/** Metrics that exist only with some options are in `tables` and not in the text. */
function metricsPart(text, tables) {
  const served = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const known = new Set(tables.flatMap(([, , metrics]) => metrics.map(({ name }) => name)));
  for (const name of served) if (!known.has(name)) throw new Error(`${name} is in no table of metrics`);
  const row = ({ name, help, type, labels = [] }, common) => {
    const shown = [type, ...[...common, ...labels].map((label) => `\`${label}\``)].join(', ');
    return item(`\`${name}\` (${shown}): ${plain(help)}`);
  };
  const section = (title, metrics, common) =>
    `## ${title}\n\n${metrics.map((metric) => row(metric, common)).join('\n')}`;
  const optional = tables.flatMap(([, , metrics]) => metrics.filter(({ name }) => !served.has(name)));
  return [
    ...tables.map(([title, common, metrics]) =>
      section(
        title,
        metrics.filter(({ name }) => served.has(name)),
        common,
      ),
    ),
    section('With TLS on the control port', optional, []),
  ].join('\n\n');
}

function apiPart({ paths, components }) {
  const resources = new Map();
  const fieldsOf = ({ $ref, properties = {} } = {}) =>
    Object.keys($ref ? components.schemas[$ref.split('/').at(-1)].properties : properties);
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      const resource = path.split('/')[2];
      const body = fieldsOf(operation.requestBody?.content['application/json'].schema);
      resources.set(resource, [...(resources.get(resource) ?? []), operationRow(method, path, operation, body)]);
    }
  return [...resources].map(([resource, rows]) => `### ${resource}\n\n${rows.join('\n')}`).join('\n\n');
}

function operationRow(method, path, { operationId, summary, parameters = [], 'x-role': role }, body) {
  const query = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const quoted = (names) => names.map((name) => `\`${name}\``).join(', ');
  const rows = [
    `\`${method.toUpperCase()} ${path}\`: ${plain(summary)}${summary.endsWith('?') ? '' : '.'}`,
    query.length > 0 && `Query: ${quoted(query)}.`,
    body.length > 0 && `Body: ${quoted(body)}.`,
    `Role ${role}, operation \`${operationId}\`.`,
  ];
  return item(rows.filter(Boolean).join(' '));
}

/** The decisions in the pages of packages, one line each with its date, the newest first within a page. */
function decisionParts() {
  const pages = readdirSync(join(ROOT, 'packages'), { recursive: true, withFileTypes: true })
    .filter(({ name }) => /^(?:README|ENGINE)\.md$/.test(name))
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => !/(?:^|\/)node_modules\/|\/dist\/|^packages\/docs\//.test(path))
    .sort();
  const sections = pages.map((path) => [path, decisionsIn(readFileSync(join(ROOT, path), 'utf8'))]);
  return {
    decisions: sections
      .filter(([, decisions]) => decisions.length > 0)
      .map(([path, decisions]) => {
        const rows = decisions.map(({ title, date }) => item(`${title}${date === undefined ? '' : ` (${date})`}`));
        return `### ${path.slice('packages/'.length)}\n\nSee [${path}](../../../${path}).\n\n${rows.join('\n')}`;
      })
      .join('\n\n'),
  };
}

/** Items below headings `Decisions` that begin with a title in bold: `- 2026-12-01: **Title**` or `- **Title** (2026-12-01)`. */
function decisionsIn(markdown) {
  const found = [];
  let isDecisions = false;
  let ofSection;
  for (const block of markdown.split(/\n(?=#|- |\n)/)) {
    const [, heading] = /^#+ (.*)/.exec(block) ?? [];
    if (heading !== undefined) {
      isDecisions = /^Decisions\b/.test(heading);
      ofSection = /\d{4}-\d{2}-\d{2}/.exec(heading)?.[0];
    }
    const text = block.replaceAll(/\s+/g, ' ');
    const [, title] = /^- (?:\d{4}-\d{2}-\d{2}: )?\*\*(.+?)\*\*/.exec(text) ?? [];
    if (!isDecisions || title === undefined) continue;
    found.push({ title: title.replace(/[.:]$/, ''), date: /\d{4}-\d{2}-\d{2}/.exec(text)?.[0] ?? ofSection });
  }
  return found;
}

/** Text of the program as Markdown: what Markdown would interpret is escaped. */
function plain(text) {
  return text.replaceAll(/[|*_<>[\]]/g, '\\$&').replaceAll(/\s+/g, ' ');
}

/** A list item, wrapped. */
function item(text) {
  const lines = [];
  let line = '-';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > MAX_COLUMNS) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isCheck = process.argv.includes('--check');
  for (const [path, text] of await currentPages()) {
    if (readFileSync(join(ROOT, path), 'utf8') === text) continue;
    console.log(isCheck ? `${path} is not current` : `wrote ${path}`);
    if (isCheck) process.exitCode = 1;
    else writeFileSync(join(ROOT, path), text);
  }
}
