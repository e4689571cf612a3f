/** `rollcall token`: creates, lists, changes, rotates and revokes tokens. */
import type { Role, TokenBindings, TokenPatch, TokenResult } from '@rollcall/protocol';
import { MAX_OVERLAP_MS, MAX_TOKEN_MS } from '@rollcall/protocol';
import { Command, Option } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { table } from '../format.ts';
import { tokensOf } from '../lists.ts';
import { addWaitFlags, printInForce, type WaitFlags } from './in-force.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';
import { BINDINGS, HEADINGS, row } from './token-row.ts';
import { boundedMs, reasonOf, waitTimeoutMs } from './verb-flags.ts';

const ROLES: readonly Role[] = ['join', 'viewer', 'operator', 'admin', 'proxy'];
const MIN_EXPIRY_MS = 1_000;
const DRY_RUN = 'report what would happen and change nothing';

const HELP = `
A token is identified by its name, which owns the ids of its nodes. Its secret is printed once and stored as a digest.
All commands need the admin token and take effect at once: connections that are no longer allowed are closed.

  rollcall token create shop --role join --balancer shop --context /shop --nodes 20 --expires 90d
  ROLLCALL_JOIN_TOKEN="$(rollcall token create guest --role join --host guest.example.net)" rollcall run -- ./app {port}
  rollcall token list
  rollcall token rotate shop --overlap 1h
  rollcall token revoke guest
`;

const CREATE_HELP = `
The secret is written to standard output, everything else to standard error.
Without bindings a join token may register any node, but not serve a context below, or a host inside, what another token
serves; a token with --host or --context may.

  rollcall token create shop --role join --balancer shop --context /shop --node 'shop-*' --address 10.0.0.0/8
  rollcall token create grafana --role viewer --expires 365d
  rollcall token create web-1 --role join --certificate web-1.example.net
`;

const SET_HELP = `
Flags that are given replace that binding, others stay. Nodes that break a new binding are disconnected and leave.
Their agents try again about every 60 s, and join again once a binding allows them.

  rollcall token set shop --context /shop --context /cart
  rollcall token set shop --clear expires --clear nodes
  rollcall token set shop --nodes 5 --dry-run     # which nodes would leave
`;

interface TokenFlags extends ReaderFlags, WaitFlags {
  readonly balancer?: readonly string[];
  readonly host?: readonly string[];
  readonly context?: readonly string[];
  readonly node?: readonly string[];
  readonly address?: readonly string[];
  readonly nodes?: string;
  readonly maxWeight?: string;
  readonly expires?: string;
  readonly certificate?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

type ChangeFlags = Pick<TokenFlags, 'reason' | 'dryRun'> & ReaderFlags & WaitFlags;

export function tokenCommand(): Command {
  const command = new Command('token').description('create, list, change, rotate and revoke tokens');
  command.addHelpText('after', HELP);
  for (const sub of [createCommand(), listCommand(), setCommand(), rotateCommand(), revokeCommand()])
    command.addCommand(sub);
  return command;
}

function createCommand(): Command {
  return addBindingFlags(
    new Command('create').description('create a token and print its secret, once').argument('<name>'),
  )
    .addOption(new Option('--role <role>', 'permissions of the token').choices(ROLES).makeOptionMandatory())
    .addHelpText('after', CREATE_HELP)
    .action(async (name: string, flags: TokenFlags & { readonly role: Role }) => {
      const expiresInMs = boundedMs('--expires', flags.expires, { min: MIN_EXPIRY_MS, max: MAX_TOKEN_MS });
      const bindings = bindingsOf(flags);
      const body = {
        name,
        role: flags.role,
        ...(Object.keys(bindings).length > 0 && { bindings }),
        ...(expiresInMs !== undefined && { expiresInMs }),
        ...(flags.certificate !== undefined && { certificate: flags.certificate }),
        ...changeOf(flags),
      };
      await send((client) => client.call('createToken', { body }), flags, true);
    });
}

function setCommand(): Command {
  const clearable = [...Object.keys(BINDINGS), 'expires', 'certificate'];
  return addBindingFlags(new Command('set').description('change the bindings of a token').argument('<name>'))
    .addOption(
      new Option('--clear <binding>', `remove a binding: ${clearable.join(', ')}`)
        .choices(clearable)
        .argParser((value: string, before: readonly string[] = []) => {
          if (!clearable.includes(value)) throw usage(`--clear ${value} is not one of ${clearable.join(', ')}`);
          return [...before, value];
        }),
    )
    .addHelpText('after', SET_HELP)
    .action(async (name: string, flags: TokenFlags & { readonly clear?: readonly string[] }) => {
      const { clear = [] } = flags;
      const cleared = Object.entries(BINDINGS).filter(([flag]) => clear.includes(flag));
      const bindings = { ...bindingsOf(flags), ...Object.fromEntries(cleared.map(([, key]) => [key, null])) };
      const expiresInMs = clear.includes('expires')
        ? null
        : boundedMs('--expires', flags.expires, { min: MIN_EXPIRY_MS, max: MAX_TOKEN_MS });
      const certificate = clear.includes('certificate') ? null : flags.certificate;
      const body: TokenPatch = {
        ...(Object.keys(bindings).length > 0 && { bindings }),
        ...(expiresInMs !== undefined && { expiresInMs }),
        ...(certificate !== undefined && { certificate }),
        ...changeOf(flags),
      };
      if (Object.keys(body).every((key) => key === 'reason' || key === 'dryRun'))
        throw usage('set what? see rollcall token set --help');
      await send((client) => client.call('patchToken', { path: { name }, body }), flags);
    });
}

function listCommand(): Command {
  return addReaderFlags(new Command('list').description('tokens by name, without secrets')).action(
    async (flags: ReaderFlags) => {
      const client = await clientFor(flags);
      const tokens = await tokensOf(client);
      if (flags.json) printJson({ tokens });
      else
        process.stdout.write(
          `${table(
            HEADINGS,
            tokens.map((token) => row(token, Date.now())),
          )}\n`,
        );
    },
  );
}

function rotateCommand(): Command {
  const command = new Command('rotate').description('give a token a new secret, printed once').argument('<name>');
  return addWaitFlags(addReaderFlags(command))
    .option('--overlap <duration>', 'validity of the earlier secret, 0 to 30d (default: 1h)')
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', DRY_RUN)
    .action(async (name: string, flags: ChangeFlags & { readonly overlap?: string }) => {
      const overlapMs = boundedMs('--overlap', flags.overlap, { max: MAX_OVERLAP_MS });
      const body = { ...(overlapMs !== undefined && { overlapMs }), ...changeOf(flags) };
      await send((client) => client.call('rotateToken', { path: { name }, body }), flags, true);
    });
}

function revokeCommand(): Command {
  const command = new Command('revoke')
    .description('revoke a token: its connections are closed, its nodes leave the cluster')
    .argument('<name>');
  return addWaitFlags(addReaderFlags(command))
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', DRY_RUN)
    .action(async (name: string, flags: ChangeFlags) => {
      await send((client) => client.call('revokeToken', { path: { name }, body: changeOf(flags) }), flags);
    });
}

function addBindingFlags(command: Command): Command {
  const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  return addWaitFlags(addReaderFlags(command))
    .option('--balancer <name>', 'balancer that its nodes may join; repeatable', many)
    .option('--host <name>', 'host that its nodes may serve, *.suffix or *; repeatable', many)
    .option('--context <path>', 'context that its nodes may serve, with all paths below it; repeatable', many)
    .option('--node <pattern>', "pattern of node ids, like 'shop-*'; repeatable", many)
    .option('--address <cidr>', 'addresses from which the token is accepted; repeatable', many)
    .option('--nodes <n>', 'most nodes at the same time, 0 to 10000 (default: the quota of the coordinator)')
    .option('--max-weight <n>', 'largest weight that a node may announce, 0.001 to 100 (default: 100)')
    .option('--expires <duration>', 'lifetime of the token from now on, 1s to 3650d (default: unlimited)')
    .option(
      '--certificate <name>',
      'common name, DNS or URI name of a client certificate that is accepted as this token',
    )
    .option('--reason <text>', 'reason for the audit log')
    .option('--dry-run', DRY_RUN);
}

function changeOf({ reason, dryRun }: ChangeFlags): Pick<TokenPatch, 'reason' | 'dryRun'> {
  return { ...reasonOf(reason), ...(dryRun && { dryRun: true }) };
}

function bindingsOf(flags: TokenFlags): TokenBindings {
  const { balancer, host, context, node, address, nodes, maxWeight } = flags;
  return {
    ...(balancer && { balancers: balancer }),
    ...(host && { hosts: host }),
    ...(context && { contexts: context }),
    ...(node && { nodeIds: node }),
    ...(address && { addresses: address }),
    ...(nodes !== undefined && { nodes: numberOf('--nodes', nodes) }),
    ...(maxWeight !== undefined && { maxWeight: numberOf('--max-weight', maxWeight) }),
  };
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && Number.isFinite(value)) return value;
  throw usage(`${flag} ${JSON.stringify(text)} is not a number`);
}

/** `makesSecret`: standard output has the secret only, also for a dry run, which has none. */
async function send(
  request: (client: AdminClient) => Promise<TokenResult>,
  flags: ChangeFlags,
  makesSecret = false,
): Promise<void> {
  waitTimeoutMs(flags);
  const client = await clientFor(flags);
  const result = await request(client);
  const { secret, message } = result;
  if (!flags.json && secret !== undefined) process.stderr.write(`${message}; the secret is shown only once:\n`);
  else if (!flags.json && makesSecret) process.stderr.write(`${message}\n`);
  await printInForce(client, result, flags, secret === undefined ? (makesSecret ? '' : undefined) : `${secret}\n`);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
