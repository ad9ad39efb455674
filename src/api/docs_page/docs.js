// The documentation page: reads the OpenAPI document of this installation, shows it, and sends requests. Nothing comes from elsewhere, and
// the token stays in its field.
'use strict';

const element = (name, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};
const json = (value) => JSON.stringify(value, null, 2);

let description;

const resolve = (part) => {
  if (!part || !part.$ref) return part;
  return part.$ref.slice(2).split('/').reduce((node, key) => node[key], description);
};

const parameterRow = (parameter) => {
  const input = element('input', { placeholder: String(parameter.example ?? '') });
  input.setAttribute('aria-label', parameter.name);
  const row = element('tr', {}, element('th', {}, element('code', { textContent: parameter.name })),
    element('td', { textContent: parameter.in }), element('td', {}, input), element('td', { textContent: parameter.description }));
  return { parameter, input, row };
};

const contentOf = (holder) => {
  const [type, content] = Object.entries(resolve(holder)?.content ?? {})[0] ?? [];
  return { type, content };
};

const addressOf = (path, rows) => {
  let address = path;
  const query = new URLSearchParams();
  for (const { parameter, input } of rows) {
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== '') query.set(parameter.name, input.value);
  }
  return query.size > 0 ? `${address}?${query}` : address;
};

const send = async (method, path, rows, body, type, result) => {
  const headers = {};
  const token = document.getElementById('token').value;
  if (token !== '') headers.Authorization = `Bearer ${token}`;
  if (body) headers['Content-Type'] = type;
  result.textContent = '...';
  try {
    const reply = await fetch(addressOf(path, rows), { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
    const text = await reply.text();
    let shown = text;
    try { shown = json(JSON.parse(text)); } catch { /* not JSON: shown as it came */ }
    result.textContent = `${reply.status} ${reply.statusText}\n\n${shown}`;
  } catch (problem) {
    result.textContent = String(problem);
  }
};

const operationBody = (path, method, operation) => {
  const body = element('div', { className: 'body' }, element('p', { textContent: operation.description ?? '' }));
  const rows = (operation.parameters ?? []).map((parameter) => parameterRow(resolve(parameter)));
  if (rows.length > 0) body.append(element('h3', { textContent: 'Parameters' }), element('table', {}, ...rows.map(({ row }) => row)));
  const request = contentOf(operation.requestBody);
  let editor;
  if (request.content) {
    editor = element('textarea', { value: json(request.content.example), spellcheck: false });
    editor.setAttribute('aria-label', 'Request body');
    body.append(element('h3', { textContent: `Request (${request.type})` }), editor,
      element('details', {}, element('summary', { textContent: 'Schema' }), element('pre', { textContent: json(resolve(request.content.schema)) })));
  }
  for (const [status, holder] of Object.entries(operation.responses)) {
    const reply = contentOf(holder);
    const title = element('h3', { textContent: `${status} ${resolve(holder).description}` });
    if (Number(status) >= 400 || !reply.content) { body.append(title); continue; }
    body.append(title, element('pre', { textContent: json(reply.content.example) }),
      element('details', {}, element('summary', { textContent: 'Schema' }), element('pre', { textContent: json(resolve(reply.content.schema)) })));
  }
  const result = element('pre', { textContent: '' });
  const button = element('button', { type: 'button', textContent: 'Send' });
  button.addEventListener('click', () => send(method, path, rows, editor, request.type, result));
  body.append(element('h3', { textContent: 'Try it' }), button, result);
  return body;
};

const operationEntry = (path, method, operation) => {
  const entry = element('details', { id: operation.operationId }, element('summary', {},
    element('span', { className: 'method', textContent: method }), element('code', { textContent: path }),
    element('span', { textContent: operation.summary }),
    element('span', { className: 'permission', textContent: operation['x-pawl-permission'] })));
  entry.dataset.text = `${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  entry.addEventListener('toggle', () => {
    if (entry.open && entry.childElementCount === 1) entry.append(operationBody(path, method, operation));
  });
  return entry;
};

const show = () => {
  const themes = new Map(description.tags.map((tag) => [tag.name, element('section', {}, element('h2', { textContent: tag.name }))]));
  for (const [path, item] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(item)) themes.get(operation.tags[0]).append(operationEntry(path, method, operation));
  }
  document.getElementById('operations').replaceChildren(...themes.values());
};

const filter = (wanted) => {
  for (const section of document.querySelectorAll('section')) {
    let any = false;
    for (const entry of section.querySelectorAll(':scope > details')) {
      entry.hidden = !entry.dataset.text.includes(wanted);
      any ||= !entry.hidden;
    }
    section.hidden = !any;
  }
};

const start = async () => {
  const reply = await fetch('/api/openapi.json');
  description = await reply.json();
  show();
  document.getElementById('search').addEventListener('input', (event) => filter(event.target.value.toLowerCase()));
};
start().catch((problem) => { document.getElementById('operations').textContent = `The description could not be read: ${problem}`; });
