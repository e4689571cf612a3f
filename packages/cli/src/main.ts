/** Argument parsing and exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 timed out. */
import { LogDestination } from '@rollcall/logging';
import { Command, CommanderError } from 'commander';
import { CliFailure, EXIT } from './exit.ts';
import { refuseFlagsAsValues } from './missing-value.ts';
import { onNpmEnd } from './npm-parent.ts';
import { TOKEN_VARIABLES } from './secret.ts';
import { Terminal } from './terminal.ts';
import { unknownOptionAdvice } from './unknown-option.ts';
import { VERSION } from './version.ts';

/**
 * The verbs in the order of `--help`. Only the module of the verb that runs is loaded: all of them take twice as long.
 */
const VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./commands/demo.ts')).demoCommand(),
  up: async () => (await import('./commands/up.ts')).upCommand(),
  run: async () => (await import('./commands/run.ts')).runCommand(),
  join: async () => (await import('./commands/join.ts')).joinCommand(),
  add: async () => (await import('./commands/members.ts')).addCommand(),
  remove: async () => (await import('./commands/members.ts')).removeCommand(),
  scale: async () => (await import('./commands/scale.ts')).scaleCommand(),
  nodes: async () => (await import('./commands/nodes.ts')).nodesCommand(),
  node: async () => (await import('./commands/node.ts')).nodeCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  top: async () => (await import('./commands/top.ts')).topCommand(),
  events: async () => (await import('./commands/events.ts')).eventsCommand(),
  wait: async () => (await import('./commands/wait.ts')).waitCommand(),
  explain: async () => (await import('./commands/explain.ts')).explainCommand(),
  drains: async () => (await import('./commands/drains.ts')).drainsCommand(),
  drain: async () => (await import('./commands/status-verbs.ts')).drainCommand(),
  enable: async () => (await import('./commands/status-verbs.ts')).enableCommand(),
  stop: async () => (await import('./commands/status-verbs.ts')).stopCommand(),
  weight: async () => (await import('./commands/overrides.ts')).weightCommand(),
  redirect: async () => (await import('./commands/overrides.ts')).redirectCommand(),
  balancer: async () => (await import('./commands/balancer.ts')).balancerCommand(),
  acknowledge: async () => (await import('./commands/acknowledge.ts')).acknowledgeCommand(),
  audit: async () => (await import('./commands/audit.ts')).auditCommand(),
  undo: async () => (await import('./commands/undo.ts')).undoCommand(),
  forget: async () => (await import('./commands/forget.ts')).forgetCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  reload: async () => (await import('./commands/reload.ts')).reloadCommand(),
  rotate: async () => (await import('./commands/rotate.ts')).rotateCommand(),
  login: async () => (await import('./commands/login.ts')).loginCommand(),
  logins: async () => (await import('./commands/logins.ts')).loginsCommand(),
  coordinators: async () => (await import('./commands/coordinators.ts')).coordinatorsCommand(),
  token: async () => (await import('./commands/token.ts')).tokenCommand(),
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  health: async () => (await import('./commands/health.ts')).healthCommand(),
  'protocol-check': async () => (await import('./commands/protocol-check.ts')).protocolCheckCommand(),
};

/** Writes error messages; each text ends with a line end. */
type WriteError = (text: string) => void;

/** Runs the command in `argv` and sets the exit code. */
export async function main(argv: readonly string[], writeError: WriteError = toStandardError): Promise<void> {
  const complain = (line: string): void => writeError(`rollcall: ${line}\n`);
  dropEmptyVariables(process.env);
  if (!SERVING.has(argv[2] ?? '')) heedBrokenOutput();
  else if (!new Terminal().isDetached)
    onNpmEnd(process.env, () => {
      complain('npm has ended; shutting down');
      process.kill(process.pid, 'SIGTERM');
    });
  const program = await rollcall(argv[2] ?? '', writeError);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CliFailure) {
      complain(error.message);
      process.exitCode = error.exitCode;
    } else if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    else throw error;
  }
}

/** The command with all its verbs, or with `verb` alone when that is one. */
async function rollcall(verb: string, writeError: WriteError): Promise<Command> {
  const program = new Command('rollcall')
    .description('A cluster coordinator: nodes register themselves, a reverse proxy follows their load.')
    .version(VERSION);
  const wanted = Object.hasOwn(VERBS, verb) ? [VERBS[verb]!] : Object.values(VERBS);
  const commands = await Promise.all(wanted.map((load) => load()));
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands, ...commands.flatMap((parent) => parent.commands)]) {
    command.exitOverride();
    refuseFlagsAsValues(command);
    command.configureOutput({
      writeOut: (text) => {
        heedBrokenOutput();
        process.stdout.write(text);
      },
      writeErr: writeError,
      outputError: (text, write) =>
        write(`rollcall: ${oneLine(text)}${unknownOptionAdvice(command, text)}; see ${fullName(command)} --help\n`),
    });
  }
  return program;
}

/** Name with parents, like `rollcall token create`. */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** Commands that keep serving without a standard output. They have a log of their own. */
const SERVING: ReadonlySet<string> = new Set(['up', 'run', 'join', 'demo']);

/** `rollcall events | head` ends silently with `head`. Other write errors are failures. */
function heedBrokenOutput(): void {
  process.stdout.off('error', onBrokenOutput).on('error', onBrokenOutput);
  process.stderr.off('error', onBrokenComplaints).on('error', onBrokenComplaints);
}

function onBrokenOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE') toStandardError(`rollcall: cannot write to standard output (${code ?? message})\n`);
  process.exit(code === 'EPIPE' ? EXIT.ok : EXIT.failed);
}

/** The line is lost; the command continues. */
function onBrokenComplaints(): void {}

/** Writes synchronously where that does not block. */
function toStandardError(text: string): void {
  new LogDestination({ target: 2 }).write(text);
}

function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');
}

/**
 * An empty variable counts as unset, as in `ROLLCALL_URL= rollcall …`. Token variables are kept, because their readers warn
 * that they are empty.
 */
function dropEmptyVariables(environment: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(environment))
    if (name.startsWith('ROLLCALL_') && value === '' && !TOKEN_VARIABLES.includes(name)) delete environment[name];
}
