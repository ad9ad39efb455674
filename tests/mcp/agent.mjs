// An agent made with the official A2A SDK (JSON-RPC, 1.0), on 127.0.0.1: prints its port. It answers with what it was told.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.argv[2], "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const express = (await load("express")).default;
const { Role, TaskState } = await load("@a2a-js/sdk");
const { DefaultRequestHandler, InMemoryTaskStore, AgentEvent } = await load("@a2a-js/sdk/server");
const { agentCardHandler, jsonRpcHandler, UserBuilder } = await load("@a2a-js/sdk/server/express");

const app = express();
const http = createServer(app);
http.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${http.address().port}/`;
  const card = {
    name: "echo", description: "Says it again.", version: "1.0.0", capabilities: { streaming: true }, defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"], skills: [{ id: "echo", name: "Echo", description: "Says it again.", tags: [] }],
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0", tenant: "" }], securitySchemes: {}, securityRequirements: [], signatures: [],
  };
  const executor = {
    async execute(context, bus) {
      const { taskId, contextId, userMessage } = context;
      const text = userMessage.parts[0].content.value;
      const message = (said) => ({ messageId: `m-${said}`, role: Role.ROLE_AGENT, taskId, contextId, parts: [{ content: { $case: "text", value: said }, mediaType: "text/plain", filename: "" }], extensions: [], referenceTaskIds: [] });
      const status = (state, said) => ({ state, message: message(said), timestamp: new Date().toISOString() });
      bus.publish(AgentEvent.task({ id: taskId, contextId, status: status(TaskState.TASK_STATE_SUBMITTED, "taken"), artifacts: [], history: [userMessage] }));
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(TaskState.TASK_STATE_COMPLETED, `${userMessage.messageId}: ${text}`) }));
      bus.finished();
    },
    async cancelTask() {},
  };
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor);
  app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: handler }));
  app.use("/", jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }));
  console.log(http.address().port);
});
