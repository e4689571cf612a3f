import type { CoordinatorResource, CoordinatorsResource } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
Drains that an operator requested wait for a coordinator that is down: its workers may still serve. Forget it when its machine is off and
will not return. ADDRESS is what agents connect to: \`--advertise\` of the coordinator. Agents learn the addresses of all.

  rollcall coordinators                  list the coordinators of the cluster
  rollcall coordinators --forget m2:8400
`;

interface CoordinatorsFlags extends ReaderFlags {
  readonly forget?: string;
  readonly dryRun?: boolean;
}

/** `rollcall coordinators`: lists the coordinators of a cluster, and forgets one that is down. */
export function coordinatorsCommand(): Command {
  return addReaderFlags(new Command('coordinators').description('list the coordinators of the cluster'))
    .option('--forget <name>', 'forget a coordinator that is down and will not return')
    .option('--dry-run', 'with --forget: print the effect and change nothing')
    .addHelpText('after', HELP)
    .action(async (flags: CoordinatorsFlags) => {
      if (flags.dryRun && flags.forget === undefined) throw new CliFailure('--dry-run needs --forget', EXIT.usage);
      const client = await clientFor(flags);
      const body = await client.call('listCoordinators');
      if (flags.forget === undefined) print(body, flags);
      else if (flags.dryRun) {
        const known = body.coordinators.find(({ name }) => name === flags.forget);
        if (known === undefined) throw new CliFailure(`there is no coordinator ${flags.forget}`, EXIT.failed);
        if (flags.json) printJson({ wouldForget: known, isDryRun: true });
        else process.stdout.write(`would forget coordinator ${known.name}, which is ${known.liveness}\n`);
      } else {
        await client.call('forgetCoordinator', { path: { name: flags.forget } });
        if (flags.json) printJson({ forgotten: flags.forget });
        else process.stdout.write(`coordinator ${flags.forget} is forgotten\n`);
      }
    });
}

function print(body: CoordinatorsResource, flags: CoordinatorsFlags): void {
  if (flags.json) printJson(body);
  else if (body.coordinators.length === 0)
    process.stdout.write('this coordinator is the only one: it has no --store that others share\n');
  else
    process.stdout.write(
      `${table(['COORDINATOR', 'STATE', 'ADDRESS', 'RELEASE', 'ID'], body.coordinators.map(row))}\n`,
    );
}

function row({ name, liveness, url, release, id, isOwn }: CoordinatorResource): string[] {
  return [isOwn ? `${name} (this one)` : name, liveness, url ?? '-', release, id];
}
