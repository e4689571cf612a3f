/** `rollcall nodes`: lists the nodes with their state, load and errors. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isName, type NodeResource } from '@rollcall/protocol';
import { Command, Option } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nodesOf } from '../lists.ts';
import { csvLines } from '../nodes/csv.ts';
import { isNote, narrowColumns, nodeColumns } from '../nodes/node-columns.ts';
import { SORT_KEYS, STATUS_HELP, sortedNodes, statusFilter } from '../nodes/node-selection.ts';
import { outliersOf } from '../nodes/outliers.ts';
import { fittingColumns, tableLines } from '../screen/fitted-table.ts';
import { addColourFlag, type ColourFlags, type Paint, paintFor } from '../screen/paint.ts';
import { wrapped } from '../screen/text-width.ts';
import { nodesWhere, WHERE_HELP, whereOf } from '../where.ts';
import { addReaderFlags, clientFor, type ReaderFlags } from './reader-flags.ts';

const HELP = `
On a terminal the columns that do not fit are left out, and notes have lines of their own. LOAD: 0 % idle, 100 % full. ERRORS: answers with 500
and above, and failures, of about the last 30 seconds. An exclamation mark: the node differs from the other nodes of its balancer.
FACTOR: 0 to 100, higher is freer, 0 for a standby. FROM: the workers or the node count its sessions.
PID is the first process of the program, on its own machine. It is that of "rollcall join" without --pid, and - with "add".

  rollcall nodes --balancer shop --sort errors --watch
  rollcall nodes --status draining,missing -o csv
`;

/** Time between two reads of --watch, milliseconds. */
const WATCH_MS = 2_000;
const OUTPUTS = ['json', 'wide', 'csv'] as const;

interface NodesFlags extends ReaderFlags, ColourFlags {
  readonly where?: string;
  readonly all?: boolean;
  readonly balancer?: string;
  readonly group?: string;
  readonly status?: string;
  readonly sort: string;
  readonly wide?: boolean;
  readonly output?: (typeof OUTPUTS)[number];
  readonly watch?: boolean;
}

export function nodesCommand(): Command {
  const command = addReaderFlags(new Command('nodes').description('list the nodes'))
    .option('--all', 'include nodes that have left or are gone')
    .option('--balancer <name>', 'only nodes of this balancer')
    .option('--group <name>', 'only nodes of this group')
    .option('--where <selector>', WHERE_HELP)
    .option('--status <states>', STATUS_HELP)
    .addOption(new Option('--sort <key>', 'order; figures descend').choices(SORT_KEYS).default('name'))
    .option('--wide', 'all columns, as wide as they are')
    .addOption(new Option('-o, --output <form>', 'form of the output; json is --json').choices(OUTPUTS))
    .option('--watch', `print the list again every ${WATCH_MS / 1_000} s, until Ctrl-C`);
  return addColourFlag(command)
    .addHelpText('after', HELP)
    .action(async (flags: NodesFlags) => {
      for (const name of ['balancer', 'group'] as const)
        if (flags[name] !== undefined && !isName(flags[name]))
          throw new CliFailure(`${JSON.stringify(flags[name])} is not a name`, EXIT.usage);
      if (flags.json && flags.output !== undefined && flags.output !== 'json')
        throw new CliFailure(`--json and -o ${flags.output} exclude each other`, EXIT.usage);
      if (flags.where !== undefined) whereOf(flags.where);
      const isWanted = statusFilter(flags.status);
      const client = await clientFor(flags);
      const isScreen = process.stdout.isTTY === true && flags.watch === true;
      for (;;) {
        const text = await listing(client, flags, isWanted);
        process.stdout.write(isScreen ? redrawn(text, process.stdout.rows) : text);
        if (!flags.watch) return;
        await sleep(WATCH_MS);
      }
    });
}

/** Draws over the list before, in one write, so that the terminal does not flicker. Lines that do not fit are counted. */
function redrawn(text: string, rows: number): string {
  const lines = text.trimEnd().split('\n');
  const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`];
  return `\u001b[H${shown.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`;
}

async function listing(
  client: AdminClient,
  flags: NodesFlags,
  isWanted: (node: NodeResource) => boolean,
): Promise<string> {
  const filter = { ...flags, ...(flags.status?.includes('gone') ? { all: true } : {}) };
  const listed =
    flags.where === undefined ? await nodesOf(client, filter) : await nodesWhere(client, whereOf(flags.where), filter);
  // Fails if there is no such balancer.
  if (listed.length === 0 && flags.balancer !== undefined)
    await client.call('getBalancer', { path: { name: flags.balancer } });
  const nodes = sortedNodes(listed.filter(isWanted), flags.sort);
  if (flags.json || flags.output === 'json') return `${JSON.stringify({ nodes })}\n`;
  if (nodes.length === 0 && flags.output !== 'csv') return `${noNodes(flags, listed.length)}\n`;
  const { verdict, nowUnixMs } = await client.call('getStatus');
  const { isTTY = false, columns: width } = process.stdout;
  const isCsv = flags.output === 'csv';
  const columns = nodeColumns({ outliers: outliersOf(verdict), nowUnixMs, hasBars: isTTY && !isCsv });
  if (isCsv) return `${csvLines(columns, nodes).join('\n')}\n`;
  const paint = paintFor(process.stdout, flags);
  if (flags.wide || flags.output === 'wide') return `${tableLines(columns, nodes, paint).join('\n')}\n`;
  return `${screenLines(narrowColumns(columns), nodes, isTTY ? (width ?? 80) : Number.POSITIVE_INFINITY, paint).join('\n')}\n`;
}

/** The table, with notes in lines of their own if they make it wider than the terminal. */
export function screenLines(
  columns: ReturnType<typeof nodeColumns>,
  nodes: readonly NodeResource[],
  width: number,
  paint: Paint,
): string[] {
  const note = columns.find(isNote)!;
  const noteTexts = nodes.map((node) => String(note.cell(node)));
  const hasNotes = noteTexts.some((text) => text !== '');
  const others = columns.filter((column) => !isNote(column));
  const inRow = hasNotes ? fittingColumns(columns, nodes, width) : columns;
  // With notes in the rows at most the address and the process id are left out.
  if (hasNotes && inRow.length >= columns.length - 2) return tableLines(inRow, nodes, paint);
  const [head = '', ...rows] = tableLines(fittingColumns(others, nodes, width), nodes, paint);
  return [head, ...rows.flatMap((row, i) => [row, ...noteLines(noteTexts[i]!, width, paint)])];
}

function noteLines(note: string, width: number, paint: Paint): string[] {
  if (note === '') return [];
  return wrapped(note, width - 4).map((line, i) => paint('quiet', `${i === 0 ? '  - ' : '    '}${line}`));
}

function noNodes({ balancer, status, group }: NodesFlags, listed: number): string {
  const where = balancer === undefined ? '' : ` in balancer ${balancer}`;
  if (listed > 0) return `no nodes${where} with status ${status}`;
  if (group !== undefined) return `no nodes${where} in group ${group}`;
  return `no nodes${where}; add one with  rollcall run -- YOUR PROGRAM {port}`;
}
