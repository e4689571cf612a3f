/**
 * `npm run fuzz -- --seconds N --seed N`: changes known inputs octet by octet and line by line. Compares the results of our parsers for
 * heads and chunks, whole and in pieces, with those of Node's parser. Inputs that reach new code are minimised and kept in
 * `packages/proxy/fuzz-corpus`. At the first difference it ends with 1 and a test to paste.
 */
import { parseArgs } from 'node:util';
import { seededRng } from '@rollcall/core/testing';
import { asciiJson, loadCorpus, saveCorpus } from './corpus.fixture.ts';
import { mutate } from './mutation.fixture.ts';
import { nodeParser } from './node-parser.fixture.ts';
import { seedsOf } from './seeds.fixture.ts';
import { type Reading, read, TARGETS, type TargetName } from './target.fixture.ts';

const PROGRESS_MS = 10_000;
/** Runs of one target before the next one. */
const TURN = 500;
/** Limit of runs to minimise one input. */
const SHRINKS = 400;
const MAX_OCTETS = 4_000;
/** The kept inputs of one target, in the form of the file: people read the corpus. */
const MAX_CORPUS_OCTETS = 45_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, 'no-save': { type: 'boolean' } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Math.floor(Date.now() / 1_000));
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--seconds and --seed are numbers');
const node = nodeParser;
if (node === undefined) throw new Error('the parser of this Node.js version is not accessible');

interface Hunt {
  readonly target: TargetName;
  readonly inputs: string[];
  readonly signatures: Set<string>;
  readonly kept: string[];
  keptOctets: number;
  found: number;
}

const rng = seededRng(seed);
const cutsOf = (octets: string): number[] =>
  Array.from({ length: Math.floor(rng() * 6) }, () => Math.floor(rng() * (octets.length + 80))).sort((a, b) => a - b);

function sizeOf(inputs: readonly string[]): number {
  return inputs.reduce((size, input) => size + asciiJson(input).length + 1, 0);
}

function begin(target: TargetName): Hunt {
  const kept = [...loadCorpus(target)];
  const inputs = seedsOf(target);
  const hunt: Hunt = { target, inputs, signatures: new Set(), kept, keptOctets: sizeOf(kept), found: 0 };
  for (const octets of inputs) hunt.signatures.add(examine(hunt, octets, -1).signature);
  return hunt;
}

/** Reads `octets`; a difference ends the program. */
function examine({ target }: Hunt, octets: string, run: number): Reading {
  const reading = read(target, octets, cutsOf(octets), node!);
  if (reading.difference === '') return reading;
  const differs = (shorter: string): boolean =>
    read(target, shorter, everywhere(shorter), node!).difference !== '' ||
    read(target, shorter, [], node!).difference !== '';
  const small = differs(octets) ? shrunk(octets, differs) : octets;
  console.log(`\nrun ${run} of seed ${seed}, ${target}: ${reading.difference}\n`);
  console.log(`A line for FINDINGS in packages/proxy/src/http1/fuzz/findings.test.ts:\n`);
  console.log(`  ['${target}', ${asciiJson(small)}],\n`);
  save();
  process.exit(1);
}

function everywhere(octets: string): number[] {
  return Array.from({ length: octets.length + 80 }, (_, i) => i + 1);
}

/** `octets` without the parts that are not needed for `holds`. */
function shrunk(octets: string, holds: (shorter: string) => boolean): string {
  let small = octets;
  let left = SHRINKS;
  for (let size = small.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at < small.length && left > 0; left--) {
      const shorter = small.slice(0, at) + small.slice(at + size);
      if (shorter.length > 0 && holds(shorter)) small = shorter;
      else at += size;
    }
  return small;
}

function turn(hunt: Hunt, runs: number): void {
  const { inputs, signatures, kept, target } = hunt;
  for (let i = 0; i < TURN; i++) {
    let octets = inputs[Math.floor(rng() * inputs.length)]!;
    for (let times = Math.ceil(rng() * 4); times > 0; times--) octets = mutate(octets, inputs, rng);
    if (octets.length === 0 || octets.length > MAX_OCTETS) continue;
    const { signature } = examine(hunt, octets, runs + i);
    if (signatures.has(signature)) continue;
    signatures.add(signature);
    const small = shrunk(octets, (shorter) => read(target, shorter, [], node!).signature === signature);
    inputs.push(small);
    hunt.found++;
    if (hunt.keptOctets + sizeOf([small]) > MAX_CORPUS_OCTETS) continue;
    kept.push(small);
    hunt.keptOctets += sizeOf([small]);
  }
}

function save(): void {
  if (values['no-save'] !== true) for (const { target, kept } of hunts) saveCorpus(target, kept);
}

const beganMs = performance.now();
const hunts: Hunt[] = [];
for (const target of TARGETS) hunts.push(begin(target));
let runs = 0;
let saidMs = beganMs;
console.log(`seed ${seed}, ${seconds} s`);
for (let at = 0; performance.now() - beganMs < seconds * 1_000; at++) {
  turn(hunts[at % hunts.length]!, runs);
  runs += TURN;
  if (performance.now() - saidMs < PROGRESS_MS) continue;
  saidMs = performance.now();
  const reported = hunts.map(({ target, signatures, found }) => `${target} ${signatures.size} ways (${found} new)`);
  console.log(`${Math.round((saidMs - beganMs) / 1_000)} s, ${runs} inputs, ${reported.join(', ')}`);
}
save();
const found = hunts.reduce((sum, hunt) => sum + hunt.found, 0);
console.log(`seed ${seed}: ${runs} inputs, ${found} new ways through the parsers, no difference`);
