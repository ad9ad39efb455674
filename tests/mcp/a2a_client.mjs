// A client made with the official A2A SDK (JSON-RPC, 1.0): `a2a_client.mjs MODULES URL KEY`. Prints as JSON what it saw of the agent.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, url, key] = process.argv.slice(2);
const require = createRequire(join(modules, "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Role, TaskState } = await load("@a2a-js/sdk");
const { ClientFactory, JsonRpcTransportFactory } = await load("@a2a-js/sdk/client");

const signedIn = (address, init) => fetch(address, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), Authorization: `Bearer ${key}` } });
const client = await new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl: signedIn })] }).createFromUrl(url);
const card = await client.getAgentCard();
const message = (text, id) => ({
  tenant: "",
  message: {
    messageId: id, contextId: "talk-1", taskId: "", role: Role.ROLE_USER, metadata: { skillId: "greet" }, extensions: [], referenceTaskIds: [],
    parts: [{ content: { $case: "text", value: text }, mediaType: "text/plain", filename: "" }],
  },
  configuration: undefined, metadata: undefined,
});
const sent = await client.sendMessage(message("Ada", "m1"));
const events = [];
for await (const event of client.sendMessageStream(message("Bo", "m2"))) events.push(event.payload ?? event);
const again = await client.getTask({ tenant: "", id: sent.id });
const listed = await client.listTasks({ tenant: "", contextId: "talk-1", status: TaskState.TASK_STATE_UNSPECIFIED, pageSize: 10, pageToken: "", historyLength: 0, statusTimestampAfter: undefined, includeArtifacts: false });
let refused = "";
try {
  await client.getTask({ tenant: "", id: "unknown" });
} catch (error) {
  refused = `${error.name}: ${error.message}`;
}
console.log(JSON.stringify({
  listed: listed.tasks.map((task) => task.id).includes(sent.id), skills: card.skills.map((skill) => skill.id), state: TaskState[sent.status.state], again: TaskState[again.status.state], context: sent.contextId,
  output: sent.artifacts[0].parts[0].content.value, events: events.map((event) => event.$case ?? Object.keys(event)[0]), refused,
}));
