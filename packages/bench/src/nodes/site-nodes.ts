/** The two nodes behind every contender. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { statusOf } from '../load/first-answer.ts';
import { freePorts } from '../system/free-ports.ts';
import { nginxConfig } from '../system/nginx-config.ts';
import { findProgram } from '../system/programs.ts';
import type { Running, Workplace } from '../system/workplace.ts';
import { bodyOf, PAGES, SMALL } from './answers.ts';

const READY_MS = 10_000;

/** `nginx` needs less CPU. `ours` supports chunks and WebSockets, and reads a request body before it answers. */
export type NodeKind = 'nginx' | 'ours';

export interface SiteNodes {
  readonly kind: NodeKind;
  readonly ports: readonly [number, number];
  readonly running: Running;
}

/** The kind of nodes for rows without special requirements. */
export function cheapestKind(): NodeKind {
  return findProgram('nginx') === undefined ? 'ours' : 'nginx';
}

/** Starts both in one process. The workplace ends it. */
export async function startNodes(workplace: Workplace, kind: NodeKind, cpus: readonly number[]): Promise<SiteNodes> {
  const ports = (await freePorts(2)) as [number, number];
  const command = kind === 'nginx' ? nginxCommand(workplace, ports) : bareCommand(ports);
  const running = await workplace.start(`nodes-${kind}`, command, { cpus });
  await workplace.until(
    async () => (await statusOf(ports[1], false)) === 200,
    running,
    'the nodes do not answer',
    READY_MS,
  );
  return { kind, ports, running };
}

function bareCommand(ports: readonly number[]): string[] {
  return [process.execPath, fileURLToPath(new URL('./bare-node.js', import.meta.url)), ...ports.map(String)];
}

function nginxCommand(workplace: Workplace, ports: readonly number[]): string[] {
  const directory = workplace.path('nodes');
  mkdirSync(join(directory, 'www'), { recursive: true });
  for (const page of PAGES) if (page !== SMALL) writeFileSync(join(directory, 'www', page.path), bodyOf(page));
  const config = join(directory, 'nginx.conf');
  writeFileSync(
    config,
    nginxConfig(
      { directory, keepAlive: '1h' },
      `  default_type text/plain;
  server {
${ports.map((port) => `    listen 127.0.0.1:${port};`).join('\n')}
    root ${directory}/www;
    location = ${SMALL.path} { return 200 "${bodyOf(SMALL).trimEnd()}\\n"; }
  }
`,
    ),
  );
  return [findProgram('nginx')!, '-c', config];
}
