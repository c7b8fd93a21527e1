/**
 * Node's HTTP module. Not by `import`, which reads all that a module exports and so makes Node load a second HTTP stack of its own (3 MB)
 * for the `WebSocket` that this one passes on.
 */
export const nodeHttp = process.getBuiltinModule('node:http');
