/** Connects to URL (default: http://localhost:8080) and sends one event a second. Prints each answer and each interruption. */
import { io } from 'socket.io-client';

// withCredentials: the client keeps the cookie of the proxy, as a browser does.
const socket = io(process.argv[2] ?? 'http://localhost:8080', { withCredentials: true });
socket.on('connect', () => console.log('connected'));
socket.on('disconnect', (reason) => console.log(`disconnected: ${reason}`));
socket.on('connect_error', (error) => console.log(`cannot connect: ${error.message}`));
setInterval(() => socket.connected && socket.emit('visit', (text) => console.log(text)), 1_000);
