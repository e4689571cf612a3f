/** Argument parsing and exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 timed out. */
import { LogDestination } from '@rollcall/logging';
import { Command, CommanderError } from 'commander';
import { balancerCommand } from './commands/balancer.ts';
import { configCommand } from './commands/config.ts';
import { demoCommand } from './commands/demo.ts';
import { eventsCommand } from './commands/events.ts';
import { explainCommand } from './commands/explain.ts';
import { forgetCommand } from './commands/forget.ts';
import { healthCommand } from './commands/health.ts';
import { joinCommand } from './commands/join.ts';
import { loginsCommand } from './commands/logins.ts';
import { addCommand, removeCommand } from './commands/members.ts';
import { nodesCommand } from './commands/nodes.ts';
import { redirectCommand, weightCommand } from './commands/overrides.ts';
import { protocolCheckCommand } from './commands/protocol-check.ts';
import { reloadCommand } from './commands/reload.ts';
import { rotateCommand } from './commands/rotate.ts';
import { runCommand } from './commands/run.ts';
import { scaleCommand } from './commands/scale.ts';
import { simulateCommand } from './commands/simulate.ts';
import { statusCommand } from './commands/status.ts';
import { drainCommand, enableCommand, stopCommand } from './commands/status-verbs.ts';
import { tokenCommand } from './commands/token.ts';
import { upCommand } from './commands/up.ts';
import { CliFailure, EXIT } from './exit.ts';
import { onNpmEnd } from './npm-parent.ts';
import { Terminal } from './terminal.ts';
import { VERSION } from './version.ts';

/** Runs the command in `argv` and ends the process as it should end. */
export async function main(argv: readonly string[]): Promise<void> {
  dropEmptyVariables(process.env);
  if (!SERVING.has(argv[2] ?? '')) heedBrokenOutput();
  else if (!new Terminal().isDetached)
    onNpmEnd(process.env, () => {
      complain('npm has ended; ending in order');
      process.kill(process.pid, 'SIGTERM');
    });
  const program = rollcall();
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

function rollcall(): Command {
  const program = new Command('rollcall')
    .description('A cluster coordinator: nodes register themselves, a reverse proxy follows their load.')
    .version(VERSION);
  const commands = [
    demoCommand(),
    upCommand(),
    runCommand(),
    joinCommand(),
    addCommand(),
    removeCommand(),
    scaleCommand(),
    nodesCommand(),
    statusCommand(),
    eventsCommand(),
    explainCommand(),
    drainCommand(),
    enableCommand(),
    stopCommand(),
    weightCommand(),
    redirectCommand(),
    balancerCommand(),
    forgetCommand(),
    configCommand(),
    reloadCommand(),
    rotateCommand(),
    loginsCommand(),
    tokenCommand(),
    simulateCommand(),
    healthCommand(),
    protocolCheckCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands, ...commands.flatMap((parent) => parent.commands)]) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => {
        heedBrokenOutput();
        process.stdout.write(text);
      },
      writeErr: (text) => void new LogDestination({ target: 2 }).write(text),
      outputError: (text, write) => write(`rollcall: ${oneLine(text)}; see ${fullName(command)} --help\n`),
    });
  }
  return program;
}

/** `rollcall token create`. */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** Commands that others rely on: they have a log of their own, and serve without a standard output. */
const SERVING: ReadonlySet<string> = new Set(['up', 'run', 'join', 'demo']);

/** `rollcall events | head` ends with `head`, without a word. Output that cannot be written is a failure. */
function heedBrokenOutput(): void {
  process.stdout.off('error', onBrokenOutput).on('error', onBrokenOutput);
  process.stderr.off('error', onBrokenComplaints).on('error', onBrokenComplaints);
}

function onBrokenOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE') complain(`cannot write to standard output (${code ?? message})`);
  process.exit(code === 'EPIPE' ? EXIT.ok : EXIT.failed);
}

/** The line is lost; the command does what it was asked for. */
function onBrokenComplaints(): void {}

/** Written before this process has ended, where that needs no waiting. */
function complain(line: string): void {
  new LogDestination({ target: 2 }).write(`rollcall: ${line}\n`);
}

function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');
}

/** An empty variable counts as unset, so that `ROLLCALL_URL= rollcall …` does what it looks like. */
function dropEmptyVariables(environment: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(environment))
    if (name.startsWith('ROLLCALL_') && value === '') delete environment[name];
}
