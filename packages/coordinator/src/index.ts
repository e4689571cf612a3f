/** The control plane. The only public entry of the package. */
export type { Clocks } from './clocks.ts';
export type { Asset, BalancerSettingsOption, CoordinatorOptions, ListenAddress } from './config.ts';
export { type Coordinator, startCoordinator } from './coordinator.ts';
export type { ControlTls } from './network/control-tls.ts';
export { openFileStore } from './stores/file-store.ts';
export { openSharedStore, openStore } from './stores/open-store.ts';
