// Runs inside the network of a box and listens on a unix socket outside of it: passes each HTTP connection on to the port
// that its Host header names. Knows nothing else of HTTP.

import { connect, createServer } from 'node:net';

const CLOSED = 'HTTP/1.1 599 Closed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

createServer((client) => {
  client.once('data', (head) => {
    const port = Number(/^host:[^\r]*?:(\d+)\r$/im.exec(head.toString('latin1'))?.[1] ?? 80);
    const server = connect(port, '127.0.0.1');
    let open = false;
    server.on('connect', () => {
      open = true;
      server.write(head);
      client.pipe(server).pipe(client);
    });
    server.on('error', () => (open ? client.destroy() : client.end(CLOSED)));
    client.on('error', () => server.destroy());
    client.on('close', () => server.destroy());
  });
}).listen(process.argv[2] as string);
