/** The question to ask an operator when nodes have registered but cannot be reached. */
import { type NodeUrl, nodeAddress } from '@rollcall/protocol';
import { isLoopbackHost } from '../network/addresses.ts';

/** For a loopback address the question is the port of the program; for other addresses also whether it listens beyond loopback. */
export function listeningQuestion(urls: readonly (NodeUrl | undefined)[]): string {
  const areLocal = urls.every((url) => url !== undefined && isLoopbackHost(nodeAddress(url).host));
  return `Does the program listen on another port${areLocal ? '' : ', or on 127.0.0.1 only'}?`;
}
