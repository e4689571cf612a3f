/** Sets up the clone, one process at a time: installs dependencies if the lock file has changed, compiles changed sources. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completeEmbeddable } from './embeddable.mjs';
import { bundlePage } from './page-bundle.mjs';
import { takeLock } from './setup-lock.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SETUP = join(ROOT, '.rollcall-setup');
const INSTALL_LOG = join(SETUP, 'install.log');
/** Marks a complete installation. It is in node_modules, so that deleting the folder also deletes the stamp. */
const STAMP = join(ROOT, 'node_modules', '.rollcall-installed');

/** Error codes in the output of npm if the registry is unreachable. */
const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ERR_SOCKET_TIMEOUT|E50[234])\b/;

/** Installs and compiles if needed. On failure it prints one line and sets the exit code. */
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

/** Identifies an installation: digest of the lock file, platform and architecture, because some packages are binaries. */
export function installationKey() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform} ${process.arch}`;
}

/** Records that node_modules matches the lock file. */
export function writeStamp() {
  writeFileSync(`${STAMP}.new`, `${installationKey()}\n`);
  renameSync(`${STAMP}.new`, STAMP);
}

function isInstalled() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8').trim() === installationKey();
}

async function install() {
  if (isInstalled()) return;
  say('installing dependencies (once, takes about 30 s)');
  const options = [
    // Development dependencies are needed even with NODE_ENV=production. No package needs its install script.
    '--include=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--prefer-offline',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=5000',
    '--loglevel=http',
    // Not in the home directory, which may not be writable.
    `--cache=${join(SETUP, 'npm-cache')}`,
  ];
  // The stamp is removed first and written last, so that an interrupted installation is repeated.
  rmSync(STAMP, { force: true });
  const { code, signal } = await run(npmCommand(['ci', ...options]), INSTALL_LOG);
  if (signal) throw new SetupFailure('interrupted; the next run installs again', exitCodeOf(signal));
  if (code !== 0) throw new SetupFailure(installFailure(readFileSync(INSTALL_LOG, 'utf8')));
  writeStamp();
}

/** The command for npm: the npm that started this process, otherwise the one in PATH. */
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
  return `npm could not install the dependencies; see its output in ${INSTALL_LOG}\n${errors.join('\n')}`.trimEnd();
}

async function build() {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, signal } = await run([process.execPath, compiler, '-b']);
  if (signal) throw new SetupFailure('', exitCodeOf(signal));
  if (code !== 0) throw new SetupFailure('the sources do not compile');
  await completeEmbeddable(ROOT);
  await bundlePage(ROOT);
}

/**
 * Runs a program and resolves with its exit code or signal. Its output goes to `logFile`, or to the output of this process. Signals are
 * forwarded to the program; a forwarded signal is reported as its end.
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

/** Exit code of a program that a signal ended, as in shells: 128 + number of the signal. */
function exitCodeOf(signal) {
  return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal] ?? 1;
}

function say(line) {
  process.stderr.write(`rollcall: ${line}\n`);
}
