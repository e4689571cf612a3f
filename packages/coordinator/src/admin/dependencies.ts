import type { AgentServer } from '../agents/agent-server.ts';
import type { NodeAddressPolicy } from '../agents/node-address-policy.ts';
import type { Prober } from '../agents/prober.ts';
import type { ReadyPaths } from '../agents/ready-paths.ts';
import type { RegistrationPace } from '../agents/registration-pace.ts';
import type { Gate } from '../auth/gate.ts';
import type { Logins } from '../auth/logins.ts';
import type { OpenConnections } from '../auth/open-connections.ts';
import type { SharedTokens } from '../auth/shared-tokens.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Cluster } from '../cluster.ts';
import type { Config } from '../config.ts';
import type { History } from '../events/history.ts';
import type { FeedServer } from '../feed/feed-server.ts';
import type { StateDirectory } from '../files/state-directory.ts';
import type { McmpServer } from '../mcmp/mcmp-server.ts';
import type { IdleConnections } from '../network/idle-connections.ts';
import type { UnreadAnswers } from '../network/unread-answers.ts';
import type { ProblemTimes } from '../problems/problem-times.ts';
import type { SupervisedProcesses } from '../supervised-processes.ts';
import type { SharedSync } from '../sync/shared-sync.ts';
import type { StoreSync } from '../sync/store-sync.ts';
import type { WatchHub } from '../watch/watch-hub.ts';
import type { SharedAnswers } from './shared-answers.ts';

/** The objects that the admin API and the pages use. */
export interface Dependencies {
  readonly config: Config;
  readonly cluster: Cluster;
  /** Cached lists and status, shared by many readers. */
  readonly answers: SharedAnswers;
  readonly agents: AgentServer;
  readonly feed: FeedServer;
  readonly supervised: SupervisedProcesses;
  readonly history: History;
  readonly gate: Gate;
  readonly logins: Logins;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly readyPaths: ReadyPaths;
  readonly registrations: RegistrationPace;
  readonly storeSync: StoreSync;
  /** Absent for a coordinator that is the only one of its cluster. */
  readonly sharedSync: SharedSync | undefined;
  /** Absent like `sharedSync`. */
  readonly sharedTokens: SharedTokens | undefined;
  readonly unread: UnreadAnswers;
  readonly idle: IdleConnections;
  readonly state: StateDirectory;
  readonly tokens: Tokens;
  readonly open: OpenConnections;
  /** Absent without a listener for mod_cluster, and before it listens. */
  readonly mcmp: () => McmpServer | undefined;
  readonly epoch: string;
  readonly startedAtUnixMs: number;
  /** URL of the control port; known once it listens. */
  readonly controlUrl: () => string;
  /** False during start and shutdown. */
  readonly isReady: () => boolean;
  /** Aborted at shutdown, which ends the open-ended answers. */
  readonly ending: AbortSignal;
  readonly problemTimes: ProblemTimes;
  readonly watch: WatchHub;
}
