/**
 * Starts a script of this folder in private network, process and mount namespaces.
 *
 * The script is process 1 of its process namespace. When it ends for any reason, the kernel ends its descendants, and the network
 * is removed with the last process. Nothing has a name outside, so nothing is left behind.
 */
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '@rollcall/core/testing';

const NAMESPACES = ['--net', '--pid', '--mount', '--fork', '--mount-proc', '--kill-child'];
/** Priority of processes during their start. */
const NICE = 10;
const PROBE = 'ip link set lo up && ip link add v0 type veth peer name v1 && nft add table inet probe';

/** Arguments of `unshare`: root needs no user namespace, others get one where the kernel permits it. */
function unshareArgs(): string[] {
  return process.getuid?.() === 0 ? NAMESPACES : ['--user', '--map-root-user', ...NAMESPACES];
}

/** Reason why scripts cannot be started here, and the requirements; `undefined` if they can. */
export function missingForSandbox(): string | undefined {
  try {
    execFileSync('unshare', [...unshareArgs(), 'sh', '-c', PROBE], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environment(),
    });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    const cause = code === 'ENOENT' ? 'unshare is missing' : String(stderr ?? '').trim();
    return (
      `private network namespaces are not available (${cause}); run as root, in a container with --privileged, ` +
      'after apt-get install util-linux iproute2 nftables'
    );
  }
}

/** Outcome and output of a script. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** The last 20,000 characters. */
  readonly stderr: string;
}

export interface Sandboxed {
  readonly ended: Promise<Ended>;
  /** Ends the script and everything that it has started. */
  close(): Promise<void>;
}

/**
 * Runs `script` (a file of this folder) with `args`, at low priority: it may raise its own. It has to end when its
 * standard input does.
 */
export function startSandboxed(script: string, args: readonly string[]): Sandboxed {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const node = [process.execPath, ...TYPESCRIPT, path];
  const child = spawn('nice', ['-n', String(NICE), 'unshare', ...unshareArgs(), ...node, ...args], {
    stdio: 'pipe',
    env: environment(),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk}`.slice(-20_000);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    ended,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** `ip` and `nft` are in folders that are not in the PATH of every user. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
}
