export { ManualTimers } from '@rollcall/protocol/testing';
