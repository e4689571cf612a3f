/**
 * `rollcall run` as process 1 of a container. Process 1 is the parent of all orphans and must collect their exit codes.
 * Node collects only its own children, so each orphan would stay a zombie until the process table is full.
 * Therefore another program collects orphans, and the wrapper runs below it:
 *
 * - Node 22.15 and later: the process becomes `/bin/sh`, which starts the wrapper and waits for all children.
 * - Earlier versions: Perl (in every Debian image) becomes the subreaper of its descendants (`PR_SET_CHILD_SUBREAPER`).
 */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** Forwards signals to the wrapper and exits with its code. A trap interrupts `wait`, which is then repeated. */
const SHELL_INIT = `
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
for signal in TERM INT HUP; do trap "kill -s $signal $child 2>/dev/null" $signal; done
while wait $child; code=$?; kill -s 0 $child 2>/dev/null; do :; done
wait $child 2>/dev/null
last=$?
[ $last -eq 127 ] || code=$last
exit $code
`;

const PERL_INIT = `
my $call = shift;
syscall($call + 0, 36, 1, 0, 0, 0) == 0 or die "prctl: $!";
my $child;
$SIG{$_} = sub { kill $_[0], $child if $child } for qw(TERM INT HUP);
$child = fork();
die "fork: $!" unless defined $child;
if ($child == 0) { exec { $ARGV[0] } @ARGV; exit 127 }
for (;;) {
  my $ended = wait();
  next if $ended == -1 && $!{EINTR};
  next if $ended != $child;
  exit(($? & 127) ? 128 + ($? & 127) : $? >> 8);
}
`;

/** System call number of prctl(2) by architecture (`process.arch`). */
const PRCTL: Readonly<Record<string, number>> = { x64: 157, arm64: 167, arm: 172, ia32: 172, ppc64: 171, s390x: 172 };
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

type Replace = (file: string, words: readonly string[], environment: NodeJS.ProcessEnv) => never;

/**
 * As process 1, runs this command below a program that collects orphans, and exits with its code. Resolves with false in other
 * processes, and without such a program, which `say` reports.
 */
export async function runBelowReaper(say: (line: string) => void): Promise<boolean> {
  if (process.pid !== 1) return false;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { execve } = process as { execve?: Replace };
  if (execve !== undefined) execve('/bin/sh', ['sh', '-c', SHELL_INIT, 'rollcall', ...command], process.env);
  const call = PRCTL[process.arch];
  if (call === undefined || spawnSync('perl', ['-e', '1']).status !== 0) {
    say('process 1 cannot collect orphans on this Node: install perl, use Node 22.15 or later, or docker run --init');
    return false;
  }
  const reaper = spawn('perl', ['-MErrno', '-e', PERL_INIT, String(call), ...command], { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => reaper.kill(signal));
  await new Promise((resolve) => {
    reaper.once('exit', (code, signal) => {
      process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      resolve(undefined);
    });
  });
  return true;
}
