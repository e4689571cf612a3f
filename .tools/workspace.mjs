/** The clone: install when the lock file has changed, compile what has changed, one process at a time. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completeEmbeddable } from './embeddable.mjs';
import { takeLock } from './setup-lock.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SETUP = join(ROOT, '.rollcall-setup');
const INSTALL_LOG = join(SETUP, 'install.log');
/** Inside node_modules, so that whoever deletes that, npm included, deletes this. */
const STAMP = join(ROOT, 'node_modules', '.rollcall-installed');

/** What npm says when it could not talk to the registry at all. */
const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ERR_SOCKET_TIMEOUT|E50[234])\b/;

/** Installs and compiles as needed. Ends the process with one line when that is not possible. */
export async function makeReady() {
  mkdirSync(SETUP, { recursive: true });
  const release = await takeLock(join(SETUP, 'lock'), (holder) =>
    say(`waiting for process ${holder}, which is setting up this clone`),
  );
  try {
    await install();
    await build();
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    if (error.message !== '') say(error.message);
    process.exitCode = error.exitCode;
  } finally {
    release();
  }
}

class SetupFailure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * What an installation depends on: the lock file, and the machine, since some packages are binaries.
 */
export function installationKey() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform} ${process.arch}`;
}

/** Says from now on that node_modules holds what the lock file asks for. */
export function writeStamp() {
  writeFileSync(`${STAMP}.new`, `${installationKey()}\n`);
  renameSync(`${STAMP}.new`, STAMP);
}

function isInstalled() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8').trim() === installationKey();
}

async function install() {
  if (isInstalled()) return;
  say('installing dependencies (once; half a minute or so)');
  const options = [
    // Ours are development dependencies too, whatever NODE_ENV says; and none of them needs its install script.
    '--include=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--prefer-offline',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=5000',
    '--loglevel=http',
    // Not in the home directory, which is none of our business and may not be writable.
    `--cache=${join(SETUP, 'npm-cache')}`,
  ];
  // Without a stamp nobody knows what an installation that was cut off has left behind. The stamp goes first and comes
  // back last, so however this ends early, the next run starts over.
  if (existsSync(STAMP)) rmSync(STAMP);
  else rmSync(join(ROOT, 'node_modules'), { recursive: true, force: true });
  // Not `npm ci`: it refuses a lock file without the binaries of platforms that a registry does not have, which are
  // optional. `--no-save` leaves the lock file as it is.
  const { code, signal } = await run(npmCommand(['install', '--no-save', ...options]), INSTALL_LOG);
  if (signal) throw new SetupFailure('interrupted; the next run installs again', exitCodeOf(signal));
  if (code !== 0) throw new SetupFailure(installFailure(readFileSync(INSTALL_LOG, 'utf8')));
  writeStamp();
}

/** npm's own program when npm has started us, else the one in PATH. */
export function npmCommand(args) {
  const program = process.env.npm_execpath;
  return program?.endsWith('npm-cli.js') ? [process.execPath, program, ...args] : ['npm', ...args];
}

function installFailure(log) {
  const [cause] = UNREACHABLE.exec(log) ?? [];
  if (cause !== undefined)
    return `cannot reach the npm registry (${cause}): check the network and npm's proxy and registry settings, then try again`;
  const errors = log
    .split('\n')
    .filter((line) => line.startsWith('npm error'))
    .slice(0, 8);
  return `npm could not install the dependencies; all it said is in ${INSTALL_LOG}\n${errors.join('\n')}`.trimEnd();
}

async function build() {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, signal } = await run([process.execPath, compiler, '-b']);
  if (signal) throw new SetupFailure('', exitCodeOf(signal));
  if (code !== 0) throw new SetupFailure('the sources do not compile');
  await completeEmbeddable(ROOT);
}

/**
 * Runs a program to its end; its output goes to `logFile` or is ours. A signal we get while it runs is passed on, and
 * counts as its end even when it takes time to obey.
 */
function run([program, ...args], logFile) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ['ignore', logFile ? 'pipe' : 'inherit', logFile ? 'pipe' : 'inherit'],
    });
    if (logFile) {
      const log = createWriteStream(logFile);
      child.stdout.pipe(log, { end: false });
      child.stderr.pipe(log, { end: false });
      child.once('close', () => log.end());
    }
    let received;
    const pass = (signal) => {
      received = signal;
      child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, pass);
    const end = () => {
      for (const signal of SIGNALS) process.removeListener(signal, pass);
    };
    child.once('error', (error) => {
      end();
      reject(error);
    });
    child.once('close', (code, signal) => {
      end();
      resolve({ code, signal: received ?? signal ?? undefined });
    });
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** As shells report a program that a signal ended. */
function exitCodeOf(signal) {
  return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal] ?? 1;
}

function say(line) {
  process.stderr.write(`rollcall: ${line}\n`);
}
