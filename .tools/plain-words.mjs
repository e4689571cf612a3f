/**
 * Finds words in comments, strings and documents that do not belong in plain technical English.
 *
 *   plain-words.mjs [--long] [--wide] [--advice] [--count] [PATH…]
 *
 * Reads the tracked files below PATH; without one those below `CLEAN`. Prints `file:line: word → suggestion`, then the counts of each
 * package and word, and exits with 1 if there is a finding. No file or no text to read is an error.
 *
 * --long    also sentences of more than 25 words in comments and Markdown
 * --wide    also lines of Markdown above 160 columns
 * --advice  also patterns that are often wrong; they are not counted as findings
 * --count   only the counts
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textsOf } from './texts.mjs';

/** Name, pattern (case does not matter, a space matches any white space), and what to write instead. */
const WORDS = [
  // The subject of a sentence is a thing in the program.
  ['nobody', /\b(?:nobody|no one)\b/, 'no client, no process, no other node'],
  ['somebody', /\b(?:somebody|someone)\b/, 'a client, a process, an operator'],
  ['anybody', /\b(?:anybody|anyone)\b/, 'any client, any process'],
  ['everybody', /\b(?:everybody|everyone)\b/, 'all clients, all processes'],
  ['whoever', /\b(?:whoever|whomever)\b/, 'the client that, the process that'],
  ['stranger', /\bstrangers?\b/, 'unknown client, untrusted input'],
  ['newcomer', /\bnewcomers?\b/, 'new node, new worker'],
  ['lonely', /\blonely\b/, 'single, isolated'],
  ['the world', /\bthe world\b/, 'all clients, the network'],
  ['nobody’s business', /\b(?:none of our|nobody['’]s) business\b/, 'secret, out of scope'],
  // Verbs are those of RFC 9110, Envoy, HAProxy and Consul.
  ['tell', /\b(?:tells?|told|telling)\b/, 'sends, reports, announces, distinguishes'],
  ['hear', /\b(?:hears?|heard|hearing)\b/, 'receives, observes'],
  ['say', /\b(?:says?|said|saying)\b/, 'states, reports, sends, logs'],
  ['ask again', /\b(?:asks?|asked|asking) again\b/, 'retries, polls'],
  ['go on', /\b(?:goes|go|going|went|gone) on\b/, 'continues, resumes'],
  ['give way', /\b(?:gives?|gave|giving|given) way\b/, 'yields, is replaced'],
  ['stand still', /\b(?:stands?|stood|standing) still\b/, 'is blocked, is paused, does not answer'],
  ['is away', /\b(?:is|are|was|were|be|been|being) away\b/, 'is unreachable'],
  ['well again', /\bwell again\b/, 'recovers, has recovered'],
  ['trying on', /\b(?:try|tries|tried|trying) on\b/, 'retries, retrying'],
  ['by and by', /\bby and by\b/, 'gradually'],
  ['meanwhile', /\bmeanwhile\b/, 'until then, at the same time, in between'],
  ['for ever', /\bfor ever\b/, 'without a time limit, permanently'],
  ['dear', /\bdear(?:er|est|ly)?\b/, 'expensive, costs more'],
  ['wish', /\bwish(?:es|ed)?\b/, 'wanted status, override'],
  ['take back', /\b(?:takes?|took|taken|taking) back\b/, 'reverts, withdraws'],
  ['fault of ours', /\bfaults? of ours\b/, 'internal error'],
  ['set up wrong', /\bset up wrong(?:ly)?\b/, 'misconfigured'],
  // A noun is never left out.
  ['those that', /\b(?:those|these) (?:that|which|who)\b/, 'name the noun: connections that, nodes that'],
  ['so many', /(?<=^\s*|[.:;] )so (?:many|much|long|often)\b/, 'name the noun and the unit: at most this many records'],
];

/** Often wrong, but not always: for a reader to judge. */
const ADVICE = [
  ['what is …', /(?<=^\s*|[.;] )what (?!if\b)\w+(?=[^.?]*(?:[.;]|$))/, 'begin with a noun: the requests that'],
  ['none', /(?<=^\s*|[.:;] )none\b/, 'no connection, no node'],
];

/** Folders and files that `npm run check` keeps without a finding. */
export const CLEAN = ['.ci', '.github', '.tools', 'README.md', 'docker-compose.yml', 'packages', 'test'];

/** Texts of other people, generated files, and the words themselves. */
const EXCLUDED = [
  /^\.tools\/plain-words\.mjs$/,
  /^test\/plain-words\.test\.ts$/,
  /^test\/http-cases\/.*\.json$/,
  /^test\/transcripts\//,
  /(?:^|\/)fixtures\//,
  /^package-lock\.json$/,
];

const MAX_WORDS = 25;
const MAX_COLUMNS = 160;

/**
 * Finds the words in the content of one file, without I/O. Returns the number of texts and the findings `{ line, word, found, suggestion }`,
 * or `undefined` for a kind of file without texts.
 */
export function findingsIn(path, source, { long = false, wide = false, advice = false } = {}) {
  const texts = textsOf(path, source);
  if (texts === undefined) return undefined;
  const findings = [];
  for (const { line, kind, text } of texts) {
    for (const row of WORDS) findings.push(...occurrences(row, line, text));
    if (advice) for (const row of ADVICE) findings.push(...occurrences(row, line, text, true));
    if (long && kind === 'prose') findings.push(...longSentences(line, text));
  }
  if (wide && path.endsWith('.md'))
    for (const [i, row] of source.split('\n').entries())
      if (row.length > MAX_COLUMNS)
        findings.push({
          line: i + 1,
          word: 'wide',
          found: `${row.length} columns`,
          suggestion: `at most ${MAX_COLUMNS}`,
        });
  return { texts: texts.length, findings };
}

function occurrences([word, pattern, suggestion], line, text, isAdvice = false) {
  const anySpace = new RegExp(pattern.source.replaceAll(' ', '\\s+'), `gi${pattern.flags}`);
  return [...text.matchAll(anySpace)].map((match) => ({
    line: line + newlines(text.slice(0, match.index)),
    word,
    found: match[0].split('\n')[0].trim().slice(0, 60),
    suggestion,
    isAdvice,
  }));
}

/** Sentences end with a full stop, a question mark or an exclamation mark before a space. */
function longSentences(line, text) {
  const findings = [];
  let start = 0;
  for (const sentence of text.split(/(?<=[.?!][)"”*_]*)(?=\s)/)) {
    const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}§]/u.test(word)).length;
    const at = line + newlines(text.slice(0, start + /^\s*/.exec(sentence)[0].length));
    if (words > MAX_WORDS)
      findings.push({
        line: at,
        word: 'long',
        found: `${words} words`,
        suggestion: `at most ${MAX_WORDS}: split the sentence`,
      });
    start += sentence.length;
  }
  return findings;
}

function newlines(text) {
  return text.split('\n').length - 1;
}

/** The package of a path, or its first folder, or the file itself. */
function areaOf(path) {
  return /^(?:packages\/[^/]+|[^/]+)/.exec(path)[0];
}

function trackedFiles(paths) {
  const { status, stdout, stderr } = spawnSync('git', ['ls-files', '-z', '--', ...paths], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git cannot list the files: ${stderr ?? ''}`);
  return stdout.split('\0').filter((path) => path !== '' && !EXCLUDED.some((pattern) => pattern.test(path)));
}

function main() {
  const boolean = { type: 'boolean', default: false };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { long: boolean, wide: boolean, advice: boolean, count: boolean },
  });
  const counts = new Map();
  const words = new Map();
  const total = { files: 0, texts: 0, findings: 0 };
  for (const path of trackedFiles(positionals.length > 0 ? positionals : CLEAN)) {
    const result = findingsIn(path, readFileSync(path, 'utf8'), values);
    if (result === undefined) continue;
    total.files += 1;
    total.texts += result.texts;
    for (const { line, word, found, suggestion, isAdvice } of result.findings) {
      if (!values.count) console.log(`${path}:${line}: ${found} → ${suggestion}`);
      if (isAdvice) continue;
      total.findings += 1;
      const area = areaOf(path);
      counts.set(area, (counts.get(area) ?? new Map()).set(word, (counts.get(area)?.get(word) ?? 0) + 1));
      words.set(word, (words.get(word) ?? 0) + 1);
    }
  }
  for (const [area, byWord] of counts) console.log(`${area}: ${sum(byWord)} (${listed(byWord)})`);
  if (counts.size > 1) console.log(`all: ${total.findings} (${listed(words)})`);
  console.log(`plain words: ${total.files} files, ${total.texts} texts, ${total.findings} findings`);
  if (total.texts === 0) console.log('plain words: no text was read');
  return total.findings > 0 || total.texts === 0 ? 1 : 0;
}

function sum(counts) {
  return [...counts.values()].reduce((all, count) => all + count, 0);
}

function listed(counts) {
  const rows = [...counts].sort(([, one], [, other]) => other - one);
  return rows.map(([word, count]) => `${word} ${count}`).join(', ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
