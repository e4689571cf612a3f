import { Command } from 'commander';
import { runCommand } from '/work/main/packages/cli/src/commands/run.ts';
import { joinCommand } from '/work/main/packages/cli/src/commands/join.ts';
const p = new Command('rollcall').addCommand(runCommand()).addCommand(joinCommand());
p.parseAsync().catch((e) => { console.error('rollcall: ' + e.message); process.exitCode = e.exitCode ?? 1; });
