// Pages of existing frontends, as many as are asked for, each with the official client.
// Commands come as JSON lines on standard input; what the pages hear goes out the same way.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const pages = new Map();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const commands = {
  open({ page, url, transports, auth, headers }) {
    const socket = io(url, {
      transports,
      auth,
      extraHeaders: headers,
      forceNew: true,
      reconnection: false,
    });
    pages.set(page, socket);
    socket.io.on("open", () => {
      const engine = socket.io.engine;
      say({ page, state: "open", transport: engine.transport.name });
      engine.once("upgrade", (to) => say({ page, state: "upgrade", transport: to.name }));
    });
    socket.on("connect", () => {
      say({ page, state: "connect", sid: socket.id });
      // As a frontend does that begins to listen only now.
      socket.on("connected", (...told) => say({ page, late: "connected", told }));
    });
    socket.on("connect_error", (error) => say({ page, state: "refused", message: error.message }));
    socket.on("disconnect", (reason) => say({ page, state: "disconnect", message: reason }));
    socket.onAny((event, ...told) => {
      const ack = typeof told.at(-1) === "function" ? told.pop() : null;
      say({ page, event, told, acknowledged: ack !== null });
      if (ack) ack();
    });
  },
  emit({ page, event, args, number }) {
    if (number === undefined) pages.get(page).emit(event, ...args);
    else pages.get(page).emit(event, ...args, (answer) => say({ page, number, answer }));
  },
  close({ page }) {
    pages.get(page).close();
    pages.delete(page);
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...about } = JSON.parse(line);
    commands[command](about);
  })
  .on("close", () => process.exit(0));
