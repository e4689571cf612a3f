/** Runs `rollcall protocol-check` and reads what it reports. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Site } from '../site/site.ts';

export interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Traces in the cluster that could not be removed. */
  readonly traces?: { readonly host: string; readonly cause: string; readonly command: string };
  readonly checks: readonly { readonly id: string; readonly outcome: string; readonly seen: string }[];
}

/** `id: what was seen` of the checks that ended so. */
export function idsOf({ checks }: Report, outcome: string): string[] {
  return checks.filter((check) => check.outcome === outcome).map(({ id, seen }) => `${id}: ${seen}`);
}

/** Runs the command to its end, however long it takes. */
export async function protocolCheck(
  site: Site,
  url: string,
  environment: Readonly<Record<string, string>> = {},
  ...flags: readonly string[]
): Promise<{ readonly code: number; readonly report: Report }> {
  const child = site.start(['protocol-check', url, '--json', ...flags], environment);
  let stdout = '';
  child.stdout!.on('data', (octets: Buffer) => {
    stdout += octets.toString();
  });
  let stderr = '';
  child.stderr!.on('data', (octets: Buffer) => {
    stderr += octets.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.notEqual(stdout, '', stderr);
  return { code, report: JSON.parse(stdout) as Report };
}
