// An MCP server over Streamable HTTP made with the official SDK, on 127.0.0.1: prints its port. `greet` greets, `count` tells progress.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const require = createRequire(join(modules, "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { McpServer } = await load("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = await load("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { z } = await load("zod");

const sessions = new Map();
let ended = 0;

function makeServer() {
  const server = new McpServer({ name: "sdk", version: "1.0.0" });
  server.registerTool("greet", { description: "Greets somebody.", inputSchema: { name: z.string() }, outputSchema: { text: z.string() } }, async ({ name }) => ({
    content: [{ type: "text", text: `Hello, ${name}` }],
    structuredContent: { text: `Hello, ${name}` },
  }));
  server.registerTool("count", { description: "Counts." }, async (extra) => {
    for (let i = 1; i <= 3; ++i) {
      await extra.sendNotification({ method: "notifications/progress", params: { progressToken: extra._meta.progressToken, progress: i, total: 3 } });
    }
    return { content: [{ type: "text", text: `sessions ended: ${ended}` }] };
  });
  return server;
}

const http = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const message = body ? JSON.parse(body) : undefined;
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport && message?.method === "initialize") {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id) && ++ended,
    });
    await makeServer().connect(transport);
  }
  if (!transport) {
    response.writeHead(400, { "Content-Type": "application/json" });
    return response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32000, message: "Bad Request: no session" }, id: null }));
  }
  await transport.handleRequest(request, response, message);
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
