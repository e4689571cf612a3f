/** The only import of ws. The build replaces the compiled file by one that contains ws (`.tools/embeddable.mjs`). */
export { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
