import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, outputOf } from '../system/programs.ts';
import type { Running } from '../system/workplace.ts';
import type { Contender, StartRequest } from './contender.ts';

/** Properties of one server program. */
export interface ServerKind {
  readonly name: string;
  /** Possible names of the program. */
  readonly programs: readonly string[];
  readonly versionFlag: string;
  /** Extracts the version from the output of the program. */
  readonly versionPattern: RegExp;
  readonly configName: string;
  config(request: StartRequest): string;
  arguments(configFile: string): readonly string[];
}

/** An installed server with one worker process or thread and a generated configuration file. */
export function configuredServer(kind: ServerKind): Contender {
  const program = (): string | undefined => kind.programs.map(findProgram).find((path) => path !== undefined);
  return {
    name: kind.name,
    remedy: `install ${kind.programs[0]}`,
    version() {
      const path = program();
      if (path === undefined) return undefined;
      return kind.versionPattern.exec(outputOf(path, [kind.versionFlag]))?.[1] ?? 'unknown';
    },
    can: () => true,
    start(request): Promise<Running> {
      const { workplace, directory, cpus } = request;
      const configFile = join(directory, kind.configName);
      writeFileSync(configFile, kind.config(request));
      return workplace.start(kind.name, [program()!, ...kind.arguments(configFile)], {
        cpus,
        directory,
        environment: { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
      });
    },
  };
}
